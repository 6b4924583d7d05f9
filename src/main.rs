use std::process::ExitCode;

fn main() -> ExitCode {
    stairgate::cli::run(std::env::args_os())
}
