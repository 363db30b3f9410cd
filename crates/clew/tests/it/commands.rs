//! What commands print and how they end.

use std::path::Path;

use crate::server::{clew, run, stdout_of};

#[test]
fn the_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let generated = stdout_of(&["config", "reference"]);
    assert!(committed == generated, "run `clew config reference > docs/configuration.md`");
}

#[test]
fn the_resolved_configuration_names_its_origins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clew.toml");
    std::fs::write(&file, "[limits]\ntenants = 5\n").unwrap();
    let output = clew()
        .args(["config", "--query-concurrency", "3", "--config"])
        .arg(&file)
        .env("CLEW_SHUTDOWN_GRACE", "2s")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        format!("tenants = 5 # {} line 2", file.display()),
        "grace = \"2s\" # environment CLEW_SHUTDOWN_GRACE".to_owned(),
        "concurrency = 3 # flag --query-concurrency".to_owned(),
        "depth = 32 # default".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}

#[test]
fn mistakes_in_the_configuration_are_told_before_anything_opens() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let output = clew()
        .args(["--limits-depth", "1000", "--data-dir"])
        .arg(&data)
        .env("CLEW_QUERY_TIMOUT", "1s")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("did you mean `CLEW_QUERY_TIMEOUT`?") && text.contains("flag --limits-depth"), "{text}");
    assert!(!data.exists());
    let missing = run(&["serve", "--config", "/no/such/clew.toml"]);
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/no/such/clew.toml: No such file"), "{missing:?}");
}

#[test]
fn help_fits_a_terminal_of_100_columns_and_checking_offers_no_ports() {
    for command in ["serve", "search", "trace", "export", "import", "delete", "demo", "load", "check"] {
        let help = stdout_of(&[command, "--help"]);
        assert!(help.lines().all(|line| line.len() <= 100), "{command}: {help}");
    }
    let help = stdout_of(&["check", "--help"]);
    assert!(help.contains("--data-dir") && !help.contains("--listen"), "{help}");
}

#[test]
fn help_is_short_and_a_wrong_flag_names_the_right_one() {
    insta::assert_snapshot!(stdout_of(&["-h"]), @r"
    clew keeps the spans of your services and says where the time went

    Usage: clew [OPTIONS]
           clew <COMMAND>

    Commands:
      serve        Receive, keep and answer (the default)
      search       Find traces
      trace        Show a trace: a sentence that says where the time went, and a waterfall
      export       Write whole traces to a file, as OTLP
      import       Send the traces of OTLP files
      delete       Delete a trace, or all that a tenant has
      pin          Keep a trace whatever its age, until it is unpinned
      unpin        Take the pin of a trace off
      pins         List the pinned traces
      demo         Send the traces of a simulated astronomy shop
      load         Send spans as fast as asked, and report throughput and acknowledgement latency
      check        Check a data folder that no server uses
      config       Print the resolved configuration, or the reference page of all settings
      completions  Print a completion script for a shell
      man          Print the manual page of clew, or of one of its commands
      help         Print this message or the help of the given subcommand(s)

    Options:
          --config <FILE>    Configuration file (TOML); or CLEW_CONFIG. None is read unless it is named
          --data-dir <PATH>  Where clew keeps everything: the log, its lock and its format file. Made
                             when it does not exist. [default: ./clew-data]
          --listen <LIST>    Addresses to listen at. Every address speaks everything: OTLP over gRPC and
                             HTTP, and the API. A default port that is taken is skipped with a warning;
                             an address that was asked for must be free. Port 0 takes any free port,
                             which the greeting names. [default:
                             127.0.0.1:8080,127.0.0.1:4317,127.0.0.1:4318,127.0.0.1:9090]
      -h, --help             Print help (see more with '--help')
      -V, --version          Print version

    Run `clew COMMAND --help` for more, or `clew serve --help` for all settings.
    ");
    let wrong = run(&["search", "--min-duratoin", "1s"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--min-duration"));
}

#[test]
fn every_command_explains_itself() {
    for command in [
        "serve",
        "search",
        "trace",
        "export",
        "import",
        "delete",
        "demo",
        "load",
        "check",
        "config",
        "completions",
        "man",
    ] {
        let help = stdout_of(&[command, "--help"]);
        assert!(help.len() > 100 && help.is_ascii(), "{command}");
    }
    assert!(stdout_of(&["man"]).contains(".TH clew"));
    assert!(stdout_of(&["man", "trace"]).contains("waterfall"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(stdout_of(&["completions", shell]).contains("clew"));
    }
}

#[test]
fn without_a_server_the_way_to_start_one_is_told() {
    // Port 1 belongs to nobody who answers.
    for (arguments, code) in [
        (vec!["search", "--server", "http://127.0.0.1:1"], 4),
        (vec!["trace", "4bf92f3577b34da6a3ce929d0e0e4736", "--server", "http://127.0.0.1:1"], 4),
        (vec!["demo", "--endpoint", "http://127.0.0.1:1"], 4),
        (vec!["load", "--endpoint", "127.0.0.1:1", "--duration", "200ms"], 4),
        (vec!["export", "--server", "http://127.0.0.1:1"], 4),
        (vec!["delete", "trace", "4bf92f3577b34da6a3ce929d0e0e4736", "--server", "http://127.0.0.1:1"], 4),
        (vec!["delete", "tenant", "acme", "--yes", "--server", "http://127.0.0.1:1"], 4),
        (vec!["delete", "tenant", "acme"], 2),
        (vec!["delete", "trace", "xyz"], 2),
        (vec!["import"], 2),
        (vec!["import", "/no/such/file"], 1),
        (vec!["export", "--since", "1h", "--from", "-2h"], 2),
        (vec!["trace", "xyz"], 2),
        (vec!["search", "--server", "127.0.0.1:1"], 4),
        (vec!["search", "--server", "https://127.0.0.1:1"], 2),
        (vec!["demo", "--endpoint", "https://127.0.0.1:1"], 2),
        (vec!["load", "--duration", "0s"], 2),
    ] {
        let output = run(&arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(code != 4 || text.contains("`clew`"), "{arguments:?}: {text}");
    }
}
