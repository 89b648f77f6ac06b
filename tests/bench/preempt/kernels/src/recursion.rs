//! Kernels that call: themselves, and through a table.

#[inline(never)]
fn fib(n: u32) -> u32 {
    if n < 2 { n } else { fib(n - 1).wrapping_add(fib(n - 2)) }
}

#[unsafe(no_mangle)]
extern "C" fn k_fib(n: u32) -> u32 {
    (0..n).map(|_| fib(std::hint::black_box(20))).fold(0, u32::wrapping_add)
}

type Operation = fn(&mut Vm, u32);

/// A threaded interpreter of a small program.
struct Vm {
    stack: [u32; 16],
    top: usize,
    at: usize,
}

impl Vm {
    fn push(&mut self, v: u32) {
        self.top += 1;
        self.stack[self.top & 15] = v;
    }
    fn pop(&mut self) -> u32 {
        let v = self.stack[self.top & 15];
        self.top = self.top.wrapping_sub(1);
        v
    }
}

const PROGRAM: [(Operation, u32); 6] = [
    (|vm, k| vm.push(k), 3),
    (
        |vm, _| {
            let v = vm.pop().wrapping_add(vm.pop());
            vm.push(v);
        },
        0,
    ),
    (|vm, k| vm.push(k), 5),
    (
        |vm, _| {
            let v = vm.pop() ^ vm.pop().rotate_left(3);
            vm.push(v);
        },
        0,
    ),
    (|vm, k| vm.push(vm.stack[vm.top & 15] >> k), 1),
    (|vm, _| _ = vm.pop(), 0),
];

#[unsafe(no_mangle)]
extern "C" fn k_interpreter(n: u32) -> u32 {
    let mut vm = Vm { stack: [1; 16], top: 3, at: 0 };
    for _ in 0..n * 1000 {
        let (operation, operand) = PROGRAM[vm.at];
        operation(&mut vm, operand);
        vm.at = (vm.at + 1) % PROGRAM.len();
    }
    vm.stack[vm.top & 15]
}
