use std::time::Duration;

use super::table::Setting;
use super::*;

fn file(text: &str) -> (PathBuf, String) {
    ("clew.toml".into(), text.to_owned())
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn errors(inputs: &Inputs) -> Vec<String> {
    let ConfigErrors(errors) = Config::resolve(inputs).expect_err("mistakes");
    errors.iter().map(|error| format!("{}: {} ({})", error.key, error.what, error.origin)).collect()
}

#[test]
fn defaults_stand_alone_and_match_the_rooms() {
    let config = Config::resolve(&Inputs::default()).unwrap();
    assert!(SETTINGS.len() < 72);
    assert_eq!(config.listen.len(), 4);
    assert_eq!((config.tenants, config.request_bytes.0), (1000, 16 << 20));
    assert!(config.resolved.iter().all(|entry| entry.origin == Origin::Default));
    assert_eq!(config.resolved.len(), SETTINGS.len());
}

#[test]
fn each_layer_beats_the_one_before() {
    let text = "data_dir = '/file'\n[limits]\ntenants = 2\nevents = 2\nlinks = 2\n";
    let inputs = Inputs {
        file: Some(file(text)),
        environment: environment(&[("CLEW_LIMITS_EVENTS", "3"), ("CLEW_LIMITS_LINKS", "3"), ("PATH", "/bin")]),
        flags: vec![("limits.links", vec!["4".to_owned()])],
    };
    let config = Config::resolve(&inputs).unwrap();
    assert_eq!((config.attributes, config.tenants, config.events, config.links), (1024, 2, 3, 4));
    assert_eq!(config.origin("limits.tenants").to_string(), "clew.toml line 3");
    assert_eq!(config.origin("limits.events").to_string(), "environment CLEW_LIMITS_EVENTS");
    assert_eq!(config.origin("limits.links").to_string(), "flag --limits-links");
}

#[test]
fn all_mistakes_come_at_once_with_their_origins() {
    let inputs = Inputs {
        file: Some(file("dta_dir = 'x'\n[limits]\nrequest_bytes = '16 parsecs'\n[query]\ntimeout = 1979-05-27\n")),
        environment: environment(&[("CLEW_LIMITS_TENANT", "7"), ("CLEW_LIMITS_DEPTH", "100")]),
        flags: vec![("listen", vec!["nowhere".to_owned()])],
    };
    let mut found = errors(&inputs);
    found.sort();
    insta::assert_snapshot!(found.join("\n"), @r"
    CLEW_LIMITS_TENANT: unknown; did you mean `CLEW_LIMITS_TENANTS`? (environment CLEW_LIMITS_TENANT)
    dta_dir: unknown; did you mean `data_dir`? (clew.toml line 1)
    limits.depth: 100 is not between 1 and 64 (environment CLEW_LIMITS_DEPTH)
    limits.request_bytes: `16 parsecs` is not a number of bytes such as 4096, 64KiB, 16MiB or 2GiB (clew.toml line 3)
    listen: `nowhere` is not an address such as 127.0.0.1:4317, 0.0.0.0:8080 or [::1]:4318 (flag --listen)
    query.timeout: expected a duration (clew.toml line 5)
    ");
}

#[test]
fn values_that_do_not_fit_together_are_mistakes() {
    let inputs = Inputs {
        file: Some(file("listen = ['127.0.0.1:1', '127.0.0.1:1']\nlog_level = '=='\nlog.queue_bytes = '1MiB'")),
        ..Inputs::default()
    };
    insta::assert_snapshot!(errors(&inputs).join("\n"), @r"
    log.queue_bytes: is below limits.request_bytes (clew.toml line 3)
    listen: names an address twice (clew.toml line 1)
    log_level: is not a level or a list of target=level (clew.toml line 2)
    ");
}

#[test]
fn a_file_that_is_no_toml_names_its_line() {
    let inputs = Inputs { file: Some(file("data_dir = 'x'\nlisten = [\n")), ..Inputs::default() };
    let found = errors(&inputs);
    assert!(found[0].starts_with("file: not TOML") && found[0].contains("clew.toml line"), "{found:?}");
}

#[test]
fn variables_of_a_kubernetes_service_are_no_mistakes() {
    let pairs = [("CLEW_PORT", "tcp://10.0.0.1:8080"), ("CLEW_SERVICE_HOST", "10.0.0.1"), ("CLEW_PORT_8080_TCP", "x")];
    assert!(Config::resolve(&Inputs { environment: environment(&pairs), ..Inputs::default() }).is_ok());
}

#[test]
fn what_is_printed_resolves_to_the_same_and_hides_tokens() {
    let text = "[shutdown]\ngrace = '3s'\n[tenant.tokens]\n\"s3cret-token\" = 'team-a'\n\
                [metrics]\nremote_write_token = 's3cret'\n";
    let config = Config::resolve(&Inputs { file: Some(file(text)), ..Inputs::default() }).unwrap();
    assert_eq!(config.tenant_tokens["s3cret-token"].as_str(), "team-a");
    let printed = resolved(&config);
    assert!(!printed.contains("s3cret") && printed.contains("tokens: 1 set and not shown"), "{printed}");
    assert!(printed.contains("# remote_write_token: set and not shown"), "{printed}");
    let again = Config::resolve(&Inputs { file: Some(file(&printed)), ..Inputs::default() }).unwrap();
    assert_eq!((again.shutdown_grace, &again.listen), (Duration::from_secs(3), &config.listen));
}

#[test]
fn names_of_variables_and_flags_are_unique() {
    let mut names: Vec<_> = SETTINGS.iter().map(Setting::environment).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), SETTINGS.len());
}
