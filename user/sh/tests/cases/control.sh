if true; then echo y; else echo n; fi
if false; then echo y; elif true; then echo e; fi
for i in a b c; do [ $i = b ] && continue; echo $i; done
for i in 1 2 3; do for j in 1 2; do [ $i = 2 ] && break 2; echo $i$j; done; done
i=0; until [ $i -ge 2 ]; do i=$((i+1)); done; echo $i
case foo.c in *.h) echo h;; *.c|*.cc) echo c;; *) echo other;; esac
case "a b" in "a b") echo sp;; esac
case x in [!a-c]) echo notabc;; esac
f() { echo f $1; return 3; }; f x; echo $?
g() { for i in 1 2 3; do [ $i = 2 ] && return; echo $i; done; }; g
! true; echo $?
true && echo and || echo or
false && echo and || echo or
{ echo grp; echo grp2; }
while read a b; do echo "$b-$a"; done <<E
1 2 3
x y
E
h() { if [ $1 -gt 0 ]; then echo $1; h $(($1-1)); fi; }; h 3
for i; do echo never; done
while :; do break; done; echo ok
