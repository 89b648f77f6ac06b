//! Kernels over floating-point numbers.

#[unsafe(no_mangle)]
extern "C" fn k_mandelbrot(n: u32) -> u32 {
    let mut sum = 0;
    for row in 0..n {
        let ci = f64::from(row % 64) / 32.0 - 1.0;
        for column in 0..64 {
            let cr = f64::from(column) / 32.0 - 1.5;
            let (mut zr, mut zi, mut turns) = (0.0f64, 0.0f64, 0);
            while turns < 100 && zr * zr + zi * zi < 4.0 {
                (zr, zi) = (zr * zr - zi * zi + cr, 2.0 * zr * zi + ci);
                turns += 1;
            }
            sum += turns;
        }
    }
    sum
}

#[unsafe(no_mangle)]
extern "C" fn k_matmul(n: u32) -> u32 {
    const SIZE: usize = 64;
    let a: Vec<f64> = (0..SIZE * SIZE).map(|i| (i % 17) as f64).collect();
    let mut b: Vec<f64> = (0..SIZE * SIZE).map(|i| (i % 13) as f64 / 100.0).collect();
    for _ in 0..n {
        let mut c = vec![0.0; SIZE * SIZE];
        for i in 0..SIZE {
            for j in 0..SIZE {
                let mut sum = 0.0;
                for k in 0..SIZE {
                    sum += a[i * SIZE + k] * b[k * SIZE + j];
                }
                c[i * SIZE + j] = sum / 1000.0;
            }
        }
        b = c;
    }
    b.iter().sum::<f64>() as u32
}

#[derive(Clone, Copy)]
struct Body {
    at: [f64; 3],
    v: [f64; 3],
    mass: f64,
}

#[unsafe(no_mangle)]
extern "C" fn k_nbody(n: u32) -> u32 {
    let mut bodies: Vec<Body> = (0..5)
        .map(|i| {
            let i = f64::from(i);
            Body { at: [i * 1.7, 5.0 - i, i * i * 0.3], v: [0.01 * i, 0.02, -0.01 * i], mass: 1.0 / (i + 1.0) }
        })
        .collect();
    for _ in 0..n * 100 {
        for i in 0..bodies.len() {
            for j in i + 1..bodies.len() {
                let (a, b) = (bodies[i], bodies[j]);
                let d: [f64; 3] = std::array::from_fn(|k| a.at[k] - b.at[k]);
                let square: f64 = d.iter().map(|x| x * x).sum::<f64>() + 0.01;
                let force = 0.001 / (square * square.sqrt());
                for k in 0..3 {
                    bodies[i].v[k] -= d[k] * b.mass * force;
                    bodies[j].v[k] += d[k] * a.mass * force;
                }
            }
        }
        for body in &mut bodies {
            for k in 0..3 {
                body.at[k] += 0.001 * body.v[k];
            }
        }
    }
    (bodies[0].at[0] * 1e6) as i32 as u32
}
