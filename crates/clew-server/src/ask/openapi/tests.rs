use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::ask::question;

fn described() -> Value {
    serde_json::to_value(api()).unwrap()
}

#[test]
fn every_native_route_is_described() {
    // A router shows its paths in its debug form alone.
    let routes = format!("{:?}", crate::ask::routes());
    let served: BTreeSet<&str> = routes.split('"').filter(|text| text.starts_with('/')).collect();
    assert!(served.contains("/v1/traces/search") && served.contains("/jaeger/api/services"), "{served:?}");
    let described = described();
    let paths = described["paths"].as_object().unwrap();
    for path in served.iter().filter(|path| path.starts_with("/v1/")) {
        assert!(paths.contains_key(*path), "{path} is served and not described");
        let is_described = |method: &str| paths[*path][method]["responses"]["200"].is_object();
        assert!(["get", "post"].into_iter().any(is_described), "{path}");
    }
    for path in paths.keys().filter(|path| paths[*path]["get"]["tags"][0] == "ask") {
        assert!(served.contains(path.as_str()), "{path} is described and not served");
    }
}

#[test]
fn every_parameter_of_an_export_is_described_and_deletions_are() {
    let described = described();
    let parameters = described["paths"]["/v1/export"]["get"]["parameters"].as_array().unwrap();
    let names: BTreeSet<&str> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    let known: BTreeSet<&str> = export::PARAMETERS.into_iter().chain(["attr.KEY"]).collect();
    assert_eq!(names, known);
    let of_search: BTreeSet<&str> = question::PARAMETERS.into_iter().chain(["attr.KEY"]).collect();
    let of_page = BTreeSet::from(["sort", "limit", "cursor", "total", "silhouette", "q"]);
    assert_eq!(&(&of_search - &of_page) | &BTreeSet::from(["format"]), known, "the filters of a search");
    for path in ["/v1/traces/{id}", "/v1/tenants/{tenant}"] {
        assert!(described["paths"][path]["delete"]["responses"]["200"].is_object(), "{path}");
    }
}

#[test]
fn every_parameter_of_a_search_is_described() {
    let described = described();
    let parameters = described["paths"]["/v1/traces/search"]["get"]["parameters"].as_array().unwrap();
    let names: BTreeSet<&str> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    let known: BTreeSet<&str> = question::PARAMETERS.into_iter().chain(["attr.KEY"]).collect();
    assert_eq!(names, known);
    for parameter in parameters {
        assert_eq!((&parameter["in"], &parameter["required"]), (&"query".into(), &false.into()), "{parameter}");
        assert!(parameter["description"].as_str().is_some_and(|text| !text.is_empty()), "{parameter}");
    }
}

#[test]
fn what_a_page_asks_of_the_server_itself_has_a_shape() {
    let described = described();
    for (path, method) in [("/v1/figures", "get"), ("/v1/demo", "post"), ("/v1/health", "get")] {
        let answer = &described["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(
            answer["$ref"].as_str().is_some_and(|name| name.starts_with("#/components/schemas/")),
            "{path}: {answer}"
        );
    }
}

#[test]
fn every_reference_leads_somewhere_and_refusals_are_problems() {
    let described = described();
    let mut values = vec![&described];
    let mut references = 0;
    while let Some(value) = values.pop() {
        match value {
            Value::Object(members) => values.extend(members.values()),
            Value::Array(items) => values.extend(items),
            _ => {}
        }
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(described.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
            references += 1;
        }
    }
    assert!(references > 20, "{references}");
    let refusal = &described["paths"]["/v1/services"]["get"]["responses"]["400"]["content"];
    assert_eq!(refusal["application/problem+json"]["schema"]["$ref"], "#/components/schemas/Problem");
}

/// The client's types are made from a copy, so that they are made without a server.
#[test]
#[expect(clippy::disallowed_methods, reason = "who renews the copy by this test asked for it")]
fn the_copy_in_ui_is_this_description() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ui/openapi.json");
    let text = api().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("RENEW_OPENAPI").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let renew = "RENEW_OPENAPI=1 cargo test --release -p clew-server --lib openapi";
    assert!(
        std::fs::read_to_string(path).unwrap() == text,
        "ui/openapi.json is not what this server describes; to renew it: {renew}"
    );
}
