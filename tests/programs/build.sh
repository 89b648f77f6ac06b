set -e
cd /work
# npm unpacks it without the permission to run it; both programs are in one file.
cp /llvm/llvm.core.wasm /tmp/clang
chmod 755 /tmp/clang
ln /tmp/clang /tmp/wasm-ld
/tmp/clang --target=wasm32-wasip1 --sysroot=/usr/clang -resource-dir /usr/clang -O1 -c hello.c -o /tmp/hello.o
/tmp/wasm-ld -L/usr/clang/lib/wasm32-wasip1 /usr/clang/lib/wasm32-wasip1/crt1-command.o /tmp/hello.o -lc \
    /usr/clang/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a -o /tmp/hello
chmod 755 /tmp/hello
set +e
/tmp/hello a b
echo status $?
