echo $(echo hi) `echo there` "$(printf 'a\n\nb\n\n\n')"
echo $(echo $(echo nested; echo two))
x=$(false); echo $?
x=$(exit 3); echo $?
echo `echo \`echo deep\``
f() { echo in f "$1"; }; echo $(f arg)
y=outer; echo $(y=inner; echo $y) $y
echo $(case a in a) echo matched;; esac)
echo "$(echo "quoted $(echo "more")")"
n=$(echo one; echo two | cat); echo "$n"
