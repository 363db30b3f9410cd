use clew_model::RootRef;

use super::*;

fn wanted(query: &str) -> Result<Wanted, AskError> {
    let params = Params::of(&format!("/x?{query}").parse().unwrap()).unwrap();
    Wanted::parse(&params, Tenant::default())
}

fn summary() -> Summary {
    Summary {
        root: Some(RootRef { operation: "POST /checkout".to_owned(), ..RootRef::default() }),
        duration_nanos: 250_000_000,
        error_count: 1,
        services: vec!["frontend".to_owned(), "pay".to_owned()],
        ..Summary::default()
    }
}

#[test]
fn conditions_are_on_the_whole_trace() {
    for (query, is_taken) in [
        ("", true),
        ("service=pay", true),
        ("service=pay&service=frontend", true),
        ("service=pay&service=mail", false),
        ("operation=POST%20/checkout", true),
        ("operation=charge", false),
        ("status=error", true),
        ("status=ok", false),
        ("minDurationMs=250&maxDurationMs=250", true),
        ("minDurationMs=250.1", false),
    ] {
        assert_eq!(wanted(query).unwrap().takes(&Tenant::default(), &summary()), is_taken, "{query}");
    }
    assert!(!wanted("").unwrap().takes(&Tenant::new("other").unwrap(), &summary()));
    assert!(matches!(wanted("status=unset"), Err(AskError::Parameter { name, .. }) if name == "status"));
}

#[test]
fn what_was_seen_last_is_over_where_it_began() {
    let params = Params::of(&"/x?from=3".parse().unwrap()).unwrap();
    let seen = |text: &'static str| [(LAST_EVENT_ID, text.parse().unwrap())].into_iter().collect();
    assert_eq!(from(&params, &HeaderMap::new()).unwrap(), Some(3));
    assert_eq!(from(&params, &seen("7")).unwrap(), Some(8));
    assert!(matches!(from(&params, &seen("x")), Err(AskError::Parameter { name, .. }) if name == "Last-Event-ID"));
}
