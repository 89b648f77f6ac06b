//! Hashed passwords as crypt(5) has them: `$6$` and `$5$`, Drepper's SHA-crypt. The crate sha-crypt makes the digest, here is its text.

use sha_crypt::{Params, sha256_crypt, sha512_crypt};

const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// What a text without `rounds=` means.
const ROUNDS: u32 = 5000;
/// More would let a wrong entry stop the system; the format has 999999999.
const ROUNDS_MAX: u32 = 1_000_000;
const SALT_MAX: usize = 16;

/// The low bits first, as many letters as asked for.
fn letters(mut bits: u32, count: usize, out: &mut String) {
    for _ in 0..count {
        out.push(LETTERS[(bits & 63) as usize] as char);
        bits >>= 6;
    }
}

/// Three bytes, which stand a third of the digest apart, are four letters; which is first goes round.
fn encode(digest: &[u8], step: usize) -> String {
    let third = digest.len() / 3;
    let mut out = String::new();
    for i in 0..third {
        let mut three = [digest[i], digest[i + third], digest[i + 2 * third]];
        three.rotate_left(i * step % 3);
        let [a, b, c] = three.map(u32::from);
        letters(a << 16 | b << 8 | c, 4, &mut out);
    }
    match digest[third * 3..] {
        [a, b] => letters(u32::from(b) << 8 | u32::from(a), 3, &mut out),
        [a] => letters(u32::from(a), 2, &mut out),
        _ => {}
    }
    out
}

/// The hash that a setting (`$6$salt` or a whole hash) makes of a password. None for what is no setting: a locked account's `*` or `!`.
fn crypt(password: &[u8], setting: &str) -> Option<String> {
    let fields: Vec<&str> = setting.strip_prefix('$')?.split('$').collect();
    let (kind, rest) = fields.split_first()?;
    let (rounds, rest) = match rest.split_first()? {
        (first, more) if first.starts_with("rounds=") => (first[7..].parse::<u32>().ok()?, more),
        _ => (ROUNDS, rest),
    };
    let explicit = if setting.contains("$rounds=") { format!("rounds={}$", rounds.max(1000)) } else { String::new() };
    if rounds > ROUNDS_MAX {
        return None;
    }
    let salt = rest.first()?;
    let salt = salt.get(..salt.len().min(SALT_MAX))?;
    let params = Params::new(rounds.max(1000)).ok()?;
    let hash = match *kind {
        "6" => encode(&sha512_crypt(password, salt.as_bytes(), params), 1),
        "5" => encode(&sha256_crypt(password, salt.as_bytes(), params), 2),
        _ => return None,
    };
    Some(format!("${kind}${explicit}{salt}${hash}"))
}

/// True when the password is the one that was hashed; takes as long wherever they differ. Never for a locked account.
pub fn verify(password: &[u8], hash: &str) -> bool {
    let Some(made) = crypt(password, hash) else { return false };
    let differ = made.bytes().zip(hash.bytes()).fold(0, |d, (a, b)| d | (a ^ b));
    std::hint::black_box(differ) == 0 && made.len() == hash.len()
}

/// A hash of a new password with salt made of these random bytes.
pub fn hash(password: &[u8], random: [u8; SALT_MAX]) -> Option<String> {
    let salt: String = random.iter().map(|b| LETTERS[(b & 63) as usize] as char).collect();
    crypt(password, &format!("$6${salt}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What OpenSSL makes.
    const KNOWN: [(&str, &str); 4] = [
        (
            "Hello world!",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
        ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        (
            "Hello world!",
            "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
        ),
        (
            "the minimum number is still observed",
            "$5$rounds=1000$roundstoolow$yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC",
        ),
    ];

    #[test]
    fn what_others_made_is_verified() {
        for (password, hash) in KNOWN {
            assert_eq!(crypt(password.as_bytes(), hash).as_deref(), Some(hash));
            assert!(verify(password.as_bytes(), hash));
            assert!(!verify(b"Hello world", hash));
        }
    }

    #[test]
    fn a_new_hash_is_verified_and_a_locked_account_never() {
        let made = hash(b"secret", *b"0123456789abcdef").expect("a hash");
        assert!(made.starts_with("$6$") && verify(b"secret", &made) && !verify(b"Secret", &made));
        for locked in
            ["", "*", "!", "!$6$x$y", "x", "$6$", "$1$salt$abc", "$6$rounds=999999999$salt$x", "$6$rounds=x$s$y"]
        {
            assert!(!verify(b"", locked) && !verify(locked.as_bytes(), locked), "{locked}");
        }
    }
}
