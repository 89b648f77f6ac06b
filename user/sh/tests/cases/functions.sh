fact() { if [ $1 -le 1 ]; then echo 1; else echo $(( $1 * $(fact $(($1 - 1))) )); fi; }
fact 10
outer() { inner() { echo inner $1; }; inner "$@"; }; outer x; inner y
f() { echo "$# $*"; set -- new; echo $1; }; set -- p q; f a b c; echo $1
g() { cat <<E
doc $1
E
}
g z | cat; (g sub)
r() { return $1; }; r 0 && echo zero; r 4 || echo $?
w() { while read l; do echo "<$l>"; done; }
printf 'a\nb\n' | w
k() { echo a; echo b; } >&2; k 2>&1 | sort -r
