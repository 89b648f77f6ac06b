cd ${TMPDIR:-/tmp} && mkdir -p shtest.$$ && cd shtest.$$
echo hi >f; cat f; echo more >>f; cat <f
echo err 2>e >&2; cat e
{ echo o; echo e >&2; } >oe 2>&1; cat oe
cat <<A; cat <<'B'
x $((1+1)) `echo cmd` $(echo "q")
A
$HOME `not`
B
cat <<-T
	tabbed
	T
exec 3>fd3; echo to3 >&3; exec 3>&-; cat fd3
echo swap 3>&1 1>&2 2>&3 3>&- | cat
(echo sub; echo sub2 >&2) 2>/dev/null
cat f - <<X
from here
X
: >empty; wc -c <empty | tr -d ' '
set -C; echo x >f 2>/dev/null || echo noclobber; echo y >|f; cat f; set +C
read l <f; echo "$l"
while read x; do echo "l:$x"; done <f
echo a | while read v; do echo "got $v"; done
echo *; echo f*; echo 'f*' "f*" nomatch*
cd /; rm -rf ${TMPDIR:-/tmp}/shtest.$$
