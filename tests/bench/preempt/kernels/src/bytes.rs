//! Kernels over bytes: hashes, search, compression, parsing.

use crate::Random;

#[rustfmt::skip]
const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

#[inline(never)]
fn sha256_block(state: &mut [u32; 8], block: &[u8]) {
    let mut w = [0u32; 64];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes(bytes.try_into().unwrap());
    }
    for i in 16..64 {
        let s0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ (w[i - 15] >> 3);
        let s1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for i in 0..64 {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let t1 = h.wrapping_add(s1).wrapping_add((e & f) ^ (!e & g)).wrapping_add(K[i]).wrapping_add(w[i]);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
    }
    for (s, v) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *s = s.wrapping_add(v);
    }
}

#[unsafe(no_mangle)]
extern "C" fn k_sha256(n: u32) -> u32 {
    let data = Random::new(1).bytes(64 * 64, 200);
    let mut state = [1u32, 2, 3, 4, 5, 6, 7, 8];
    for _ in 0..n {
        for block in data.chunks_exact(64) {
            sha256_block(&mut state, block);
        }
    }
    state[0]
}

#[unsafe(no_mangle)]
extern "C" fn k_crc32(n: u32) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|i| {
        (0..8).fold(i as u32, |c, _| if c & 1 != 0 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    });
    let data = Random::new(2).bytes(16384, 200);
    let mut crc = !0u32;
    for _ in 0..n {
        for &byte in &data {
            crc = table[((crc ^ u32::from(byte)) & 255) as usize] ^ (crc >> 8);
        }
    }
    crc
}

#[inline(never)]
fn find(text: &[u8], word: &[u8]) -> usize {
    text.windows(word.len()).filter(|window| *window == word).count()
}

#[unsafe(no_mangle)]
extern "C" fn k_search(n: u32) -> u32 {
    let text = Random::new(3).bytes(32768, 4);
    (0..n).map(|i| find(&text, &text[i as usize % 1000..][..7]) as u32).sum()
}

/// Length of the longest match of two places, as deflate looks for it.
#[inline(never)]
fn common(data: &[u8], a: usize, b: usize) -> usize {
    data[a..].iter().zip(&data[b..]).take(258).take_while(|(x, y)| x == y).count()
}

#[unsafe(no_mangle)]
extern "C" fn k_deflate(n: u32) -> u32 {
    let data = Random::new(4).bytes(16384, 3);
    let mut tokens = 0u32;
    for _ in 0..n {
        let (mut head, mut chain) = (vec![u32::MAX; 4096], vec![u32::MAX; data.len()]);
        let mut at = 0;
        while at + 3 < data.len() {
            let key = data[at..at + 3].iter().fold(0u32, |h, &b| h.wrapping_mul(31).wrapping_add(b.into())) as usize;
            let (mut best, mut candidate, mut tries) = (0, head[key & 4095], 16);
            while candidate != u32::MAX && tries > 0 {
                best = best.max(common(&data, candidate as usize, at));
                candidate = chain[candidate as usize];
                tries -= 1;
            }
            chain[at] = head[key & 4095];
            head[key & 4095] = at as u32;
            at += best.max(1);
            tokens = tokens.wrapping_mul(7).wrapping_add(best as u32);
        }
    }
    tokens
}

/// A parser of JSON that only counts.
struct Json<'a> {
    text: &'a [u8],
    at: usize,
    sum: u32,
}

impl Json<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }
    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\t') {
            self.at += 1;
        }
    }
    fn string(&mut self) {
        self.at += 1;
        while self.peek() != b'"' {
            if self.peek() == b'\\' {
                self.at += 1;
            }
            self.sum = self.sum.wrapping_mul(33) ^ u32::from(self.peek());
            self.at += 1;
        }
        self.at += 1;
    }
    fn value(&mut self) {
        self.space();
        match self.peek() {
            b'{' | b'[' => {
                let close = if self.peek() == b'{' { b'}' } else { b']' };
                self.at += 1;
                loop {
                    self.space();
                    match self.peek() {
                        c if c == close => break,
                        b',' | b':' => self.at += 1,
                        _ => self.value(),
                    }
                }
                self.at += 1;
            }
            b'"' => self.string(),
            _ => {
                let mut number = 0u32;
                while self.peek().is_ascii_digit() {
                    number = number.wrapping_mul(10).wrapping_add(u32::from(self.peek() - b'0'));
                    self.at += 1;
                }
                self.sum = self.sum.wrapping_add(number);
            }
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn k_json(n: u32) -> u32 {
    let mut random = Random::new(5);
    let record = |r: &mut Random| {
        format!(
            "{{\"id\": {}, \"name\": \"n{}\", \"tags\": [\"a\", \"b{}\", 12, 345], \"pos\": {{\"x\": {}, \"y\": 7}}}}",
            r.next() % 1000,
            r.next(),
            r.next() % 10,
            r.next() % 100
        )
    };
    let all: Vec<String> = (0..200).map(|_| record(&mut random)).collect();
    let text = format!("[{}]", all.join(",\n  "));
    let mut sum = 0;
    for _ in 0..n {
        let mut json = Json { text: text.as_bytes(), at: 0, sum };
        json.value();
        sum = json.sum;
    }
    sum
}
