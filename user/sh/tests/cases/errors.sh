nosuchcmd_x 2>/dev/null; echo $?
/nonexistent/x 2>/dev/null; echo $?
/etc/passwd 2>/dev/null; echo $?
cat </nonexistent/f 2>/dev/null || echo failed
(set -e; false; echo no); echo $?
(set -e; if false; then :; fi; false || true; ! true; echo yes); echo $?
(set -e; f() { false; echo notreached; }; f; echo no)
(set -e; f() { false; echo reached; }; f && echo ok)
(set -u; echo $unset_thing; echo no) 2>/dev/null; echo $?
(readonly r=1; r=2; echo no) 2>/dev/null; echo $?
(${x?msg}) 2>/dev/null; echo $?
sh -c 'exit 5'; echo $?
sh -c 'echo $0 $1' name arg
sh -c 'kill -9 $$' 2>/dev/null; echo $?
eval 'echo ev'; eval "x=1; y=2"; echo $x$y
(shift 5) 2>/dev/null; echo done
