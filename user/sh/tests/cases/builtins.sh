[ -d / ] && echo dir; [ -f / ] || echo notfile; [ a = a -a b != c ] && echo and
test 3 -gt 2 && echo gt; test -n "" || echo empty; test ! -e /nonexistent && echo gone
printf '%s %d %x|%5s|%-5s|%05d\n' str 42 255 ab cd 42
printf '%s\n' a b c
printf 'no newline'; echo
printf '%b' 'tab\there\n'
cd /tmp; cd /; pwd; cd - ; echo $OLDPWD
export E=1; sh -c 'echo $E'; unset E; sh -c 'echo ${E-unset}'
F=tmp sh -c 'echo $F'; echo ${F-notset}
x=1; x=2 true; echo $x; x=3 :; echo $x
set -- a b c; shift; echo $1 $#; shift 2; echo $#
f() { local v=in; echo $v; }; v=out; f; echo $v
while getopts ab:c o -a -b val -c rest; do echo "$o:${OPTARG-}"; done; echo $OPTIND
type cd | head -n 1; command -v cd; command -v nosuch_x || echo none
umask 027; umask; umask 022
trap 'echo bye' EXIT; (trap - EXIT; :)
read a b <<E
one two three
E
echo "$a|$b"
IFS=, read a b c <<E
1,2,3,4
E
echo "$a|$b|$c"
printf '%s\n' 'a\b' | { read x; echo "$x"; }; printf '%s\n' 'a\b' | { read -r x; printf '%s\n' "$x"; }
. /dev/stdin <<E
sourced=yes
E
echo $sourced
unset x; echo ${x-unset}
command echo cmd
