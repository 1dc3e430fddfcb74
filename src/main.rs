//! The `millrace` program.
//! May import: cli, boot.
//! Must not know: anything else.
#![forbid(unsafe_code)]

use millrace::cli::{self, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse(std::env::args().skip(1), |file| std::fs::read_to_string(file)) {
        Ok(Command::Run(options, config_file)) => millrace::boot::run(&options, config_file.as_deref()),
        Ok(Command::Tested(file)) => {
            eprintln!("millrace: configuration file {} is valid", file.display());
            ExitCode::SUCCESS
        }
        Ok(Command::Print(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
