# What POSIX has since 2024, which dash 0.5.12 has not, and what its grammar says where dash is laxer.
printf '%s\n' $'a\tb' $'it\'s' $'\101\x42' $'a\\b' "$'x'" $'\cA' | od -c | head -n 3
case a in a) echo one ;& b) echo two ;; c) echo no ;; esac
case a in a) echo last ;& esac
set -o pipefail
false | true
echo $?
set +o pipefail
false | true
echo $?
printf 'a:b\nc' | { read -d : x; echo "$x"; }
echo $LINENO
trap 'echo hi' USR1
trap -p USR1
x=1; x=2 y=$x sh -c 'echo $x $y'; echo $x
set -- a b; IFS=,; v=$*; echo "$v"; unset IFS
set -- -a; getopts a o; echo "${OPTARG-unset}"
printf 'read x\nline\necho $x\n' | sh
sh ./nosuch 2>/dev/null; echo $?
sh -c 'f() echo no' 2>/dev/null; echo $?
sh -c 'set -u; echo $((nope))' 2>/dev/null || echo unset
