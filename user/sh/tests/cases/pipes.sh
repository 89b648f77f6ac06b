echo a b c | tr a-z A-Z
printf '3\n1\n2\n' | sort | head -n 2 | cat
echo x | (read y; echo "sub $y")
echo x | { read y; echo "grp $y"; }
f() { tr x y; }; echo xxx | f
true | false; echo $?
false | true; echo $?
v=1; echo | v=2; echo $v
(v=3; echo $v); echo $v
(exit 4); echo $?
(cd /; pwd)
sleep 0 & wait $!; echo $?
(exit 7) & wait $!; echo $?
{ sleep 0; echo bg; } & wait
seq 1 20000 | tail -n 1
for i in 1 2; do echo $i; done | cat
if echo t | cat >/dev/null; then echo piped; fi
yes | head -n 1
u=unexported; (echo $u); echo $(echo $u | cat)
p=$$; (test $p = $$ && echo same)
