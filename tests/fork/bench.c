// Work at whose bottom is a fork that is never taken, for what it costs to be able to. Each export k_<name>(n) works in proportion to n.
//
//   clang --target=wasm32-wasip1 --sysroot=... -O2 -Wl,-s bench.c -o plain.wasm
//   node bench.mjs plain.wasm forked.wasm ...
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
__attribute__((import_module("vkernel"), import_name("fork"))) int fork(void);
#define EXPORT(name) __attribute__((export_name("k_" #name)))
volatile int never;
__attribute__((noinline)) static void bottom(void) { if (never) never = fork(); }

__attribute__((noinline)) static unsigned fib(unsigned n) { if (n == ~0u) return fork(); return n < 2 ? n : fib(n - 1) + fib(n - 2); }
EXPORT(fib) unsigned k_fib(unsigned n) { unsigned s = 0; while (n--) s += fib(22); return s; }

// An interpreter through a table, of which one operation may fork.
typedef struct { unsigned stack[16]; unsigned top, at; } vm;
static void op_push(vm *v, unsigned k) { v->stack[++v->top & 15] = k; }
static void op_add(vm *v, unsigned k) { unsigned a = v->stack[v->top-- & 15]; v->stack[v->top & 15] += a + k; }
static void op_fork(vm *v, unsigned k) { v->stack[v->top & 15] ^= k; if (k == ~0u) v->stack[0] = fork(); }
static struct { void (*op)(vm *, unsigned); unsigned k; } program[] = {{op_push, 3}, {op_push, 4}, {op_add, 1}, {op_fork, 9}};
EXPORT(table) unsigned k_table(unsigned n) {
    vm v = {{1}, 3, 0};
    for (unsigned i = 0; i < n * 20000; i++) { program[v.at].op(&v, program[v.at].k); v.at = (v.at + 1) & 3; }
    return v.stack[v.top & 15];
}

static int compare(const void *a, const void *b) { uint32_t x = *(uint32_t *)a, y = *(uint32_t *)b; if (x == ~0u) fork(); return x < y ? -1 : x > y; }
EXPORT(qsort) unsigned k_qsort(unsigned n) {
    static uint32_t v[3000]; unsigned s = 0;
    while (n--) { uint32_t r = 1; for (int i = 0; i < 3000; i++) { r ^= r << 13; r ^= r >> 17; r ^= r << 5; v[i] = r >> 1; } qsort(v, 3000, 4, compare); s += v[7]; }
    return s;
}

// A switch in a loop, of which one case may fork: an interpreter such as Lua's.
EXPORT(switch) unsigned k_switch(unsigned n) {
    static unsigned char code[256]; unsigned r = 7, acc = 1, b = 2, c = 3; double d = 1;
    for (int i = 0; i < 256; i++) { r = r * 1103515245 + 12345; code[i] = (r >> 16) % 7; }
    for (unsigned i = 0; i < n * 20000; i++)
        switch (code[i & 255]) {
        case 0: acc += b; break;
        case 1: b ^= acc << 3; break;
        case 2: c += acc * b; break;
        case 3: d = d * 0.5 + c; break;
        case 4: acc -= c; break;
        case 5: if (acc == 0x12345678 && never) acc = fork(); break;
        case 6: bottom(); break;
        }
    return acc + b + c + (unsigned)d;
}

typedef struct node { struct node *l, *r; int v; } node;
static node *build(int d) { node *n = malloc(sizeof *n); bottom(); n->v = d; n->l = d ? build(d - 1) : 0; n->r = d ? build(d - 1) : 0; return n; }
static int walk(node *n) { if (n->v < -5) fork(); return n->v + (n->l ? walk(n->l) : 0) + (n->r ? walk(n->r) : 0); }
EXPORT(tree) unsigned k_tree(unsigned n) { static node *t; if (!t) t = build(12); unsigned s = 0; while (n--) s += walk(t); return s; }

// Small functions with doubles alive around them.
__attribute__((noinline)) static double f(double x, double y) { if (x < -1e30) fork(); return x * 0.999 + y * 0.001; }
EXPORT(doubles) unsigned k_doubles(unsigned n) {
    double a = 1, b = 2, c = 3, d = 4;
    for (unsigned i = 0; i < n * 10000; i++) { double e = a * b; a = f(a, e) + c; b = f(b, d) * 0.5 + e * 1e-9; c = c * 0.9 + f(d, c); }
    return (unsigned)(a + b + c + d);
}

// Much work between calls.
EXPORT(sieve) unsigned k_sieve(unsigned n) {
    static unsigned char p[8192]; unsigned s = 0;
    while (n--) { bottom(); memset(p, 1, sizeof p); for (int i = 2; i < 8192; i++) if (p[i]) { s++; for (int j = 2 * i; j < 8192; j += i) p[j] = 0; } }
    return s;
}
int main(void) { return k_fib(1) + k_table(1) + k_qsort(1) + k_switch(1) + k_tree(1) + k_doubles(1) + k_sieve(1); }
