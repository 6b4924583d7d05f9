//! `stairgate compile` of every list of the corpus beside the fst yardstick over the same names in the same run.
//!
//! Prints wall time, CPU time, peak memory and sizes, and whether order and jobs change a byte. Fails only without the data.

mod yardstick;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks of `/proc` a second; Linux fixes them for programs.
const TICKS: f64 = 100.0;

fn main() {
    let lists = yardstick::corpus().join("lists");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut best: Option<Run> = None;
    for _ in 0..3 {
        let run = compile(&[&lists], &folder.path().join("all.gate"), 0);
        if best.as_ref().is_none_or(|best| run.wall < best.wall) {
            best = Some(run);
        }
    }
    let best = best.expect("there were runs");
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let gate = folder.path().join("all.gate");

    let names = yardstick::names();
    let (cpu, started) = (own_cpu_s(), Instant::now());
    let fst = yardstick::build(&names);
    let (yardstick_wall, yardstick_cpu) = (started.elapsed().as_secs_f64(), own_cpu_s() - cpu);
    println!(
        "yardstick  {yardstick_wall:.2} s wall, {yardstick_cpu:.2} s CPU, {} bytes, {} names, {} keys",
        fst.as_bytes().len(),
        names.lines().count(),
        fst.len()
    );
    let wall = best.wall.as_secs_f64();
    println!(
        "compile    {wall:.2} s wall, {:.2} s CPU, {} kB peak, gate {} bytes, lines {} bytes",
        best.cpu_s,
        best.peak_kb,
        size(&gate),
        size(&stairgate::list::publish::lines_path(&gate))
    );
    println!(
        "compile / yardstick: wall {:.2} (asked: 0.8), CPU {:.2} (asked: 1.6)",
        wall / yardstick_wall,
        best.cpu_s / yardstick_cpu
    );

    let mut parts: Vec<PathBuf> = std::fs::read_dir(&lists)
        .expect("the lists are there")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.is_dir())
        .collect();
    parts.sort();
    let forth: Vec<&Path> = parts.iter().map(PathBuf::as_path).collect();
    let back: Vec<&Path> = forth.iter().rev().copied().collect();
    let (one, other) = (folder.path().join("one.gate"), folder.path().join("other.gate"));
    compile(&forth, &one, 1);
    compile(&back, &other, 4);
    let same = |a: &Path, b: &Path| std::fs::read(a).expect("a gate") == std::fs::read(b).expect("a gate");
    let lines = stairgate::list::publish::lines_path;
    println!(
        "one job and arguments forth, four jobs and back: {}",
        if same(&one, &other) && same(&lines(&one), &lines(&other)) {
            "identical"
        } else {
            "DIFFERENT"
        }
    );
}

struct Run {
    wall: Duration,
    cpu_s: f64,
    peak_kb: u64,
}

fn compile(sources: &[&Path], output: &Path, jobs: usize) -> Run {
    let cpu = children_cpu_s();
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_stairgate"))
        .arg("compile")
        .arg("--output")
        .arg(output)
        .arg(format!("--jobs={jobs}"))
        .args(sources)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("stairgate starts");
    let mut peak_kb = 0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            break status;
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak_kb = peak
            .and_then(|peak| peak.trim().split(' ').next()?.parse().ok())
            .unwrap_or(peak_kb);
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "compile failed: {status}");
    Run {
        wall: started.elapsed(),
        cpu_s: children_cpu_s() - cpu,
        peak_kb,
    }
}

fn own_cpu_s() -> f64 {
    stat(13) + stat(14)
}

fn children_cpu_s() -> f64 {
    stat(15) + stat(16)
}

/// A field of `/proc/self/stat`, counted from 0, in seconds.
fn stat(field: usize) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field, the program's name, may hold blanks; what follows its bracket is counted from 2.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest
        .split_whitespace()
        .nth(field - 2)
        .and_then(|ticks| ticks.parse::<f64>().ok());
    ticks.unwrap_or(0.0) / TICKS
}
