//! Compiled programs: in memory for all vkernels of a host, on disk for later ones.
//!
//! A program is known by the BLAKE3 hash of its bytes. It is looked for among those in use, then
//! among those that came precompiled with the host, then in the cache directory; else it is
//! compiled, once, however many vkernels ask for it at the same time, on a thread for blocking work
//! so that others go on.
//!
//! The directory is `$VKERNEL_CACHE_DIR`, else `$XDG_CACHE_HOME/vkernel`, else `~/.cache/vkernel`.
//! Its files are machine code that we will run: it must belong to us and be writable by us only
//! (mode 0700), or it isn't used. A file is complete or not there (written aside and renamed), and
//! one that can't be used is written anew.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use tokio::sync::{OnceCell, Semaphore};
use wasmtime::{Engine, Module};

use crate::program::{self, ProgramImage};

pub(crate) type ContentHash = [u8; 32];

/// Programs kept in memory while nobody uses them.
const KEEP_UNUSED: usize = 64;
/// Programs of one vkernel compiled at a time. Each uses all processors, and memory many times the
/// program's size that no limit counts: more at once would be slower, and a way to exhaust the host.
pub(crate) const COMPILING: usize = 2;
/// What the directory may hold, in bytes; then those go that were used longest ago.
const DIR_MAX: u64 = 4 << 30;
/// A file that is used is marked so at most this often.
const MARK_EVERY: Duration = Duration::from_secs(3600);

/// A program compiled at build time.
#[derive(Clone, Debug)]
pub enum Precompiled {
    /// Bytes in this program's own image or memory.
    Bytes(&'static [u8]),
    /// A file, which is mapped.
    File(PathBuf),
}

struct Entry {
    image: OnceCell<Arc<ProgramImage>>,
    last_use: AtomicU64,
}

pub(crate) struct Cache {
    engine: Engine,
    stub: Module,
    /// `None`: nowhere to keep compiled programs.
    dir: Option<PathBuf>,
    /// In the name of every file: what else but the program's bytes the code depends on.
    build: String,
    known: Mutex<HashMap<ContentHash, Arc<Entry>>>,
    precompiled: Mutex<HashMap<ContentHash, Precompiled>>,
    uses: AtomicU64,
}

impl Cache {
    pub fn new(engine: &Engine, stub: &Module, dir: Option<PathBuf>) -> Cache {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        program::MAKING.hash(&mut hasher);
        Cache {
            engine: engine.clone(),
            stub: stub.clone(),
            dir: dir.filter(|dir| private(dir).is_ok()),
            build: format!("{:016x}", hasher.finish()),
            known: Mutex::default(),
            precompiled: Mutex::default(),
            uses: AtomicU64::new(0),
        }
    }

    pub fn add_precompiled(&self, hash: ContentHash, code: Precompiled) {
        self.precompiled.lock().unwrap_or_else(PoisonError::into_inner).insert(hash, code);
    }

    /// Is there code for it, so that it needn't be compiled?
    pub fn has(&self, hash: ContentHash) -> bool {
        self.precompiled.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&hash)
            || self.path(hash).is_some_and(|path| path.exists())
    }

    /// The program whose bytes have this hash; `bytes` is called only if it must be compiled, when
    /// `turns` has one for that. The error is for the user.
    pub async fn get<B: Deref<Target = [u8]>>(
        self: &Arc<Self>,
        hash: ContentHash,
        turns: Arc<Semaphore>,
        bytes: impl FnOnce() -> io::Result<B> + Send + 'static,
    ) -> Result<Arc<ProgramImage>, String> {
        let entry = self.entry(hash);
        let cache = self.clone();
        let image = entry.image.get_or_try_init(|| async move {
            if let Some(image) = cache.load(hash) {
                return Ok(image);
            }
            let turn = turns.acquire_owned().await.map_err(|e| e.to_string())?;
            // The work goes on when nobody waits for it any more, so it keeps its turn to its end.
            let work = move || {
                let _turn = turn;
                cache.compile(hash, &bytes().map_err(unreadable)?)
            };
            tokio::task::spawn_blocking(work).await.map_err(|_| "the compiler crashed on it".to_string())?
        });
        image.await.cloned()
    }

    /// The same at once, on this thread.
    pub fn get_now<B: Deref<Target = [u8]>>(
        &self,
        hash: ContentHash,
        bytes: impl FnOnce() -> io::Result<B>,
    ) -> Result<Arc<ProgramImage>, String> {
        let entry = self.entry(hash);
        if let Some(image) = entry.image.get() {
            return Ok(image.clone());
        }
        let image = match self.load(hash) {
            Some(image) => image,
            None => self.compile(hash, &bytes().map_err(unreadable)?)?,
        };
        // Another may have been first; either will do.
        let _ = entry.image.set(image.clone());
        Ok(image)
    }

    fn entry(&self, hash: ContentHash) -> Arc<Entry> {
        let now = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Entry { image: OnceCell::new(), last_use: AtomicU64::new(now) });
        let entry = known.entry(hash).or_insert_with(new).clone();
        entry.last_use.store(now, Ordering::Relaxed);
        forget_unused(&mut known);
        entry
    }

    /// Without compiling.
    fn load(&self, hash: ContentHash) -> Option<Arc<ProgramImage>> {
        let precompiled = self.precompiled.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned();
        let image = match precompiled {
            // SAFETY: whoever added it vouches for it.
            Some(Precompiled::File(path)) => unsafe { ProgramImage::from_file(&self.engine, &self.stub, &path) },
            Some(Precompiled::Bytes(bytes)) => self.load_file(hash).or_else(|_| self.keep(hash, bytes)),
            None => self.load_file(hash),
        };
        image.ok().map(Arc::new)
    }

    fn path(&self, hash: ContentHash) -> Option<PathBuf> {
        let name = blake3::Hash::from(hash).to_hex();
        Some(self.dir.as_ref()?.join(format!("{}-{}.cwasm", &name[..40], self.build)))
    }

    fn load_file(&self, hash: ContentHash) -> Result<ProgramImage> {
        let path = self.path(hash).context("no cache directory")?;
        // SAFETY: the directory was ours alone when we began (`private`), and we only put there what
        // `compile` made.
        let image = unsafe { ProgramImage::from_file(&self.engine, &self.stub, &path) }?;
        mark_used(&path);
        Ok(image)
    }

    fn compile(&self, hash: ContentHash, wasm: &[u8]) -> Result<Arc<ProgramImage>, String> {
        let code = program::compile(&self.engine, wasm)?;
        self.keep(hash, &code).map(Arc::new).map_err(|e| format!("can't be run: {e:#}"))
    }

    /// Writes compiled code to the directory and maps it from there; or, if that can't be done,
    /// loads it as it is.
    fn keep(&self, hash: ContentHash, code: &[u8]) -> Result<ProgramImage> {
        if let Some(path) = self.path(hash)
            && make_room(&path, code.len() as u64, DIR_MAX).is_ok()
            && write_aside(&path, code).is_ok()
            && let Ok(image) = self.load_file(hash)
        {
            return Ok(image);
        }
        // SAFETY: from `compile`, or added by someone who vouches for it.
        unsafe { ProgramImage::from_bytes(&self.engine, &self.stub, code) }
    }
}

fn unreadable(e: io::Error) -> String {
    format!("can't be read: {e}")
}

/// Forgets the one that nobody has used for longest, if there are many.
fn forget_unused(known: &mut HashMap<ContentHash, Arc<Entry>>) {
    if known.len() <= KEEP_UNUSED {
        return;
    }
    let unused = |e: &Arc<Entry>| Arc::strong_count(e) == 1 && e.image.get().is_none_or(|i| Arc::strong_count(i) == 1);
    let oldest = known.iter().filter(|(_, e)| unused(e)).min_by_key(|(_, e)| e.last_use.load(Ordering::Relaxed));
    if let Some(hash) = oldest.map(|(hash, _)| *hash) {
        known.remove(&hash);
    }
}

/// Where compiled programs are kept unless the host is told otherwise, and what `vk cc` has made.
pub fn default_dir() -> Option<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    var("VKERNEL_CACHE_DIR")
        // The XDG base directory specification has relative paths ignored.
        .or_else(|| var("XDG_CACHE_HOME").filter(|d| d.is_absolute()).map(|d| d.join("vkernel")))
        .or_else(|| var("HOME").map(|d| d.join(".cache/vkernel")))
}

/// Makes the directory if it isn't there, and makes sure that nobody else can write to it.
fn private(dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let meta = fs::symlink_metadata(dir)?;
    ensure!(meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw(), "not our directory");
    // What others could have written is not to be run.
    ensure!(meta.mode() & 0o022 == 0, "others can write to it");
    if meta.mode() & 0o077 != 0 {
        fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    }
    Ok(())
}

/// Files are removed by when they were last used, which is their time of modification.
fn mark_used(path: &Path) {
    let old = |t: SystemTime| t.elapsed().is_ok_and(|age| age > MARK_EVERY);
    if fs::metadata(path).and_then(|m| m.modified()).is_ok_and(old) {
        // A file that can't be marked is only removed earlier.
        let _ = File::options().append(true).open(path).and_then(|f| f.set_modified(SystemTime::now()));
    }
}

/// Removes what was used longest ago, until `more` bytes more are no more than `max`. Who still
/// uses a removed file has it mapped.
fn make_room(path: &Path, more: u64, max: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path.parent().unwrap_or(path))? {
        let entry = entry?;
        if let Ok(meta) = entry.metadata()
            && meta.is_file()
        {
            files.push((meta.modified()?, meta.len(), entry.path()));
        }
    }
    let mut all = more + files.iter().map(|f| f.1).sum::<u64>();
    files.sort();
    for (_, len, file) in files {
        if all <= max {
            break;
        }
        fs::remove_file(file)?;
        all -= len;
    }
    Ok(())
}

/// Writes a file that is complete or not there.
fn write_aside(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nr = COUNT.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_extension(format!("{}-{nr}.tmp", std::process::id()));
    let done = fs::write(&aside, bytes).and_then(|()| fs::rename(&aside, path));
    if done.is_err() {
        let _ = fs::remove_file(&aside);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let dir = std::env::temp_dir().join(format!("vkernel-room-{}", std::process::id()));
        private(&dir).unwrap();
        let now = SystemTime::now();
        for (name, age) in [("a", 10), ("b", 30), ("c", 20)] {
            write_aside(&dir.join(name), &[0; 100]).unwrap();
            let file = File::options().append(true).open(dir.join(name)).unwrap();
            file.set_modified(now - 24 * MARK_EVERY * age).unwrap();
        }
        mark_used(&dir.join("c"));
        make_room(&dir.join("new"), 50, 350).unwrap();
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 3);
        make_room(&dir.join("new"), 50, 160).unwrap();
        let left: Vec<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["c"]);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_directory_of_others_is_not_used() {
        let dir = std::env::temp_dir().join(format!("vkernel-private-{}", std::process::id()));
        private(&dir.join("own")).unwrap();
        std::os::unix::fs::symlink("own", dir.join("link")).unwrap();
        assert!(private(&dir.join("link")).is_err());
        fs::set_permissions(dir.join("own"), std::os::unix::fs::PermissionsExt::from_mode(0o770)).unwrap();
        assert!(private(&dir.join("own")).is_err());
        assert!(private(Path::new("/dev/null")).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
