//! Sources that cannot or must not be read whole, given to the real binary: one sentence that names the source, little memory.

use crate::common::{Ended, Home, run, stairgate};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

/// More than a list may have.
const TOO_LARGE: u64 = 2 << 30;

/// Memory enough to compile a small list, too little to hold [`TOO_LARGE`], in KiB of addresses.
const LITTLE_MEMORY: &str = "900000";

/// `compile` of one source by a process that may not have much memory.
fn compile_in_little_memory(home: &Home, source: &str, stdin: Stdio) -> Ended {
    let plain = stairgate(&["compile", "--jobs", "1", "--output", "out.gate", source], home.path());
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -v {LITTLE_MEMORY} && exec \"$0\" \"$@\"")])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(home.path())
        .stdin(stdin)
        .output()
        .expect("the binary runs");
    ended(&output)
}

fn ended(output: &std::process::Output) -> Ended {
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// It failed, said so in a line that names the source and holds `words`, and left no gate.
fn refused(home: &Home, ended: &Ended, source: &str, words: &str) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .stderr
            .lines()
            .any(|line| line.contains(source) && line.contains(words)),
        "{ended:?}"
    );
    assert!(!home.file("out.gate").exists());
}

#[test]
fn a_small_file_that_unpacks_to_too_much_is_refused_in_little_memory() {
    let home = Home::new();
    let zeros = vec![b'\n'; 1 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut zstd = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    for _ in 0..TOO_LARGE >> 20 {
        zstd.write_all(&zeros).expect("memory takes it");
    }
    // Half suffices, and takes half the time.
    for _ in 0..(TOO_LARGE >> 21) + 1 {
        gzip.write_all(&zeros).expect("memory takes it");
    }
    for (name, bytes) in [
        ("bomb.gz", gzip.finish().expect("memory takes it")),
        ("bomb.zst", zstd.finish().expect("memory takes it")),
    ] {
        assert!(bytes.len() < 8 << 20, "{name} has {} bytes", bytes.len());
        fs::write(home.file(name), bytes).expect("a writable folder");
        let ended = compile_in_little_memory(&home, name, Stdio::null());
        refused(
            &home,
            &ended,
            name,
            "unpacked it is larger than the 1073741824 bytes a list may have",
        );
    }
}

#[test]
fn a_file_of_two_gigabytes_is_refused_unread() {
    let home = Home::new();
    let file = fs::File::create(home.file("huge.txt")).expect("a writable folder");
    // A hole, so that the disk need not hold it.
    file.set_len(TOO_LARGE).expect("a sparse file");
    let ended = compile_in_little_memory(&home, "huge.txt", Stdio::null());
    refused(&home, &ended, "huge.txt", "larger than the 1073741824 bytes");
}

#[test]
fn an_endless_stream_ends_at_the_bound() {
    let home = Home::new();
    let zeros = || Stdio::from(fs::File::open("/dev/zero").expect("every system has it"));
    let mut compile = stairgate(&["compile", "--output", "out.gate", "-"], home.path());
    let output = compile.stdin(zeros()).output().expect("the binary runs");
    refused(&home, &ended(&output), "-", "larger than the 1073741824 bytes");

    // Standard input by its path is the same.
    let mut compile = stairgate(&["compile", "--output", "out.gate", "/dev/stdin"], home.path());
    let output = compile.stdin(zeros()).output().expect("the binary runs");
    refused(&home, &ended(&output), "/dev/stdin", "larger than the 1073741824 bytes");
    let mut compile = stairgate(&["compile", "--output", "small.gate", "/dev/stdin"], home.path());
    home.write("small.txt", "adult.example\n");
    let small = fs::File::open(home.file("small.txt")).expect("just written");
    let output = compile.stdin(small).output().expect("the binary runs");
    assert_eq!(ended(&output).code, Some(0), "{output:?}");
}

#[test]
fn a_pipe_that_nobody_writes_to_is_refused_at_once() {
    let home = Home::new();
    fs::create_dir(home.file("lists")).expect("a writable folder");
    for name in ["pipe", "lists/pipe"] {
        let made = Command::new("mkfifo").arg(home.file(name)).status();
        assert!(made.is_ok_and(|made| made.success()), "mkfifo works");
    }
    for source in ["pipe", "lists", "/dev/zero"] {
        let ended = run(&["compile", "--output", "out.gate", source], home.path());
        refused(&home, &ended, source, "not a file or a folder");
    }
}

#[test]
fn a_category_that_is_none_is_a_mistake_of_the_command_line() {
    let home = Home::new();
    home.write("block.txt", "adult.example\n");
    let ended = run(&["compile", "--output", "out.gate", "BAD=block.txt"], home.path());
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("\"BAD\""), "{ended:?}");
}

#[test]
fn links_that_lead_back_up_or_to_each_other_end() {
    let home = Home::new();
    home.write("lists/adult/a.txt", "adult.example\n");
    symlink("..", home.file("lists/adult/up")).expect("a link");
    symlink(".", home.file("lists/here")).expect("a link");
    symlink("adult/a.txt", home.file("lists/again.txt")).expect("a link");
    let ended = run(&["compile", "--json", "--output", "ok.gate", "lists"], home.path());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let said: serde_json::Value = serde_json::from_str(&ended.stdout).expect("one JSON object");
    let sources = said["sources"].as_array().expect("sources");
    assert_eq!(sources.len(), 1, "a link is no list of its own: {said}");
    assert_eq!(sources[0]["category"], "adult");

    symlink("two", home.file("one")).expect("a link");
    symlink("one", home.file("two")).expect("a link");
    let ended = run(&["compile", "--output", "out.gate", "one"], home.path());
    refused(&home, &ended, "one", "links lead in a circle");
}

/// Runs `compile` as a user whom permissions bind: root is made somebody else first.
fn compile_as_somebody(home: &Home, source: &str) -> Option<Ended> {
    let may_do_all = fs::read_dir(home.file("locked")).is_ok();
    let arguments = ["compile", "--output", "out.gate", source];
    if !may_do_all {
        return Some(run(&arguments, home.path()));
    }
    // Somebody else may be unable to reach the binary where it was built.
    let program = home.file("stairgate");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_stairgate"), &program).expect("a writable folder");
        open(home.path(), 0o777);
    }
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program)
        .args(arguments)
        .current_dir(home.path())
        .output()
        .ok()?;
    Some(ended(&output))
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file of ours");
}

#[test]
fn a_source_that_may_not_be_read_is_named_with_what_to_do() {
    let home = Home::new();
    home.write("secret.txt", "adult.example\n");
    home.write("locked/adult.txt", "adult.example\n");
    home.write("folder/adult/readable.txt", "adult.example\n");
    home.write("folder/adult/secret.txt", "adult.example\n");
    for locked in ["secret.txt", "folder/adult/secret.txt", "locked"] {
        open(&home.file(locked), 0);
    }
    for source in ["secret.txt", "locked", "locked/adult.txt", "folder"] {
        let Some(ended) = compile_as_somebody(&home, source) else {
            println!("skipped: a_source_that_may_not_be_read_is_named_with_what_to_do (root, and no setpriv)");
            break;
        };
        let named = if source == "folder" {
            "folder/adult/secret.txt"
        } else {
            source
        };
        refused(
            &home,
            &ended,
            named,
            "may not be read; check its permissions and its folders'",
        );
    }
    // So that the folder can be cleared away.
    open(&home.file("locked"), 0o700);
}
