//! For disks and files of tests that do one thing differently, and all else as what is behind them.

/// The named methods of [`estore::disk::Disk`] or [`estore::disk::File`], which go on to another one: `forward!(self to self.disk; kind list)`.
macro_rules! forward {
    ($this:ident to $other:expr; $($method:ident)*) => {
        $(forward!(@ $method $this $other);)*
    };
    (@ kind $this:ident $other:expr) => {
        fn kind(&$this, path: &std::path::Path) -> std::io::Result<Option<estore::disk::Kind>> { $other.kind(path) }
    };
    (@ identity $this:ident $other:expr) => {
        fn identity(&$this, path: &std::path::Path) -> std::io::Result<(u64, u64)> { $other.identity(path) }
    };
    (@ list $this:ident $other:expr) => {
        fn list(&$this, folder: &std::path::Path) -> std::io::Result<Vec<std::ffi::OsString>> { $other.list(folder) }
    };
    (@ create_folder $this:ident $other:expr) => {
        fn create_folder(&$this, path: &std::path::Path) -> std::io::Result<()> { $other.create_folder(path) }
    };
    (@ rename $this:ident $other:expr) => {
        fn rename(&$this, from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> { $other.rename(from, to) }
    };
    (@ remove_file $this:ident $other:expr) => {
        fn remove_file(&$this, path: &std::path::Path) -> std::io::Result<()> { $other.remove_file(path) }
    };
    (@ remove_folder $this:ident $other:expr) => {
        fn remove_folder(&$this, path: &std::path::Path) -> std::io::Result<()> { $other.remove_folder(path) }
    };
    (@ sync_folder $this:ident $other:expr) => {
        fn sync_folder(&$this, path: &std::path::Path) -> std::io::Result<()> { $other.sync_folder(path) }
    };
    (@ lock $this:ident $other:expr) => {
        fn lock(&$this, path: &std::path::Path) -> std::io::Result<Option<Box<dyn estore::disk::Lock>>> { $other.lock(path) }
    };
    (@ random $this:ident $other:expr) => {
        fn random(&$this, bytes: &mut [u8]) -> std::io::Result<()> { $other.random(bytes) }
    };
    (@ read_at $this:ident $other:expr) => {
        fn read_at(&$this, bytes: &mut [u8], offset: u64) -> std::io::Result<usize> { $other.read_at(bytes, offset) }
    };
    (@ write_at $this:ident $other:expr) => {
        fn write_at(&$this, bytes: &[u8], offset: u64) -> std::io::Result<usize> { $other.write_at(bytes, offset) }
    };
    (@ reserve $this:ident $other:expr) => {
        fn reserve(&$this, offset: u64, len: u64) -> std::io::Result<()> { $other.reserve(offset, len) }
    };
    (@ sync $this:ident $other:expr) => {
        fn sync(&$this) -> std::io::Result<()> { $other.sync() }
    };
    (@ len $this:ident $other:expr) => {
        fn len(&$this) -> std::io::Result<u64> { $other.len() }
    };
    (@ truncate $this:ident $other:expr) => {
        fn truncate(&$this, len: u64) -> std::io::Result<()> { $other.truncate(len) }
    };
    (@ forget $this:ident $other:expr) => {
        fn forget(&$this) -> std::io::Result<()> { $other.forget() }
    };
}
