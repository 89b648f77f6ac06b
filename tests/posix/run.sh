# sh run.sh DIRECTORY: runs all test programs of a directory, each in an empty directory of its own.
#
# Programs are named SUBJECT.NAME. What each says follows its name; the runner counts. This file runs in
# Linux's shell and in ours.
where=$1
work=${TMPDIR:-/tmp}/posix.$$
mkdir "$work" || exit 2
for program in "$where"/*.test; do
    name=${program##*/}
    echo "# ${name%.test}"
    mkdir "$work/$name"
    cd "$work/$name" || exit 2
    "$program" </dev/null 2>&1
    status=$?
    [ "$status" -le 1 ] || echo "not ok the program: it ended with status $status"
done
cd /
rm -rf "$work"
