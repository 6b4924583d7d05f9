//! The corpus of the iterator's fuzz target, whole and damaged.

use std::path::Path;

#[path = "../../fuzz/fuzz_targets/iterator.rs"]
mod iterator;

#[test]
fn whatever_servers_say_a_resolution_ends_within_its_bounds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/iterate");
    let mut read = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        read += 1;
        iterator::run(&bytes);
        for at in 0..bytes.len() {
            iterator::run(&bytes[..at]);
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                iterator::run(&damaged);
            }
        }
    }
    assert!(read >= 8, "{read} files");
}

#[path = "../../fuzz/fuzz_targets/judged.rs"]
mod judged;

#[test]
fn whatever_servers_say_a_judgment_ends_within_its_bounds_and_honest_ones_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/validator");
    let (mut read, mut secure) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        read += 1;
        let is_secure = |bytes: &[u8]| judged::run(bytes).is_some_and(|judged| judged.verdict.is_secure());
        assert_eq!(is_secure(&bytes), name.starts_with("secure-"), "{name}");
        secure += usize::from(name.starts_with("secure-"));
        for at in (0..bytes.len()).step_by(7) {
            is_secure(&bytes[..at]);
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xff;
            is_secure(&damaged);
        }
    }
    assert!(read >= 8 && secure >= 4, "{read} files, {secure} secure");
}
