x="a b"; echo $x "$x" '$x' \$x
echo "a\"b" 'it'"'"'s' a\ b
echo ${x#a} ${x%b} ${#x} ${y:-def} ${y-d2} ${x:+alt}
set -- 1 "2 3" 4; echo $# "$@"; for i in "$@"; do echo "[$i]"; done
for i in $*; do echo "[$i]"; done
IFS=:; p=/a:/b::c; for i in $p; do echo "[$i]"; done; echo "$*"
unset IFS
echo ${z:=hello} $z
echo "${x##*a}" "${x%%b*}"
echo a{b,c}d ~root_none
HOME=/h; echo ~ ~/x "~"
A=~/b:~/c; echo $A
echo ${x+"q r"} "${nope-"in ner"}"
