use super::*;

#[test]
fn units_read_and_show() {
    for (text, bytes) in [("4096", 4096), ("64KiB", 64 << 10), ("16 MiB", 16 << 20), ("2g", 2 << 30), ("1kb", 1000)] {
        assert_eq!(read_bytes(text), Ok(bytes), "{text}");
    }
    for bad in ["", "MiB", "1.5MiB", "-1", "5 parsecs", "99999999999GiB"] {
        assert!(read_bytes(bad).is_err(), "{bad}");
    }
    for (text, millis) in
        [("250ms", 250), ("5s", 5_000), ("10m", 600_000), ("1h", 3_600_000), ("7d", 604_800_000), ("0", 0)]
    {
        assert_eq!(read_millis(text), Ok(millis), "{text}");
    }
    assert!(read_millis("5").is_err(), "a duration without a unit is a guess");
    assert_eq!((show_bytes(64 << 20), show_bytes(1000), show_bytes(0)), ("64MiB".into(), "1000B".into(), "0B".into()));
    assert_eq!((show_millis(600_000), show_millis(90_000), show_millis(0)), ("10m".into(), "90s".into(), "0s".into()));
}

#[test]
fn tokens_are_never_shown() {
    let tokens = Tokens::read(&Raw::Text("s3cret=team-a,k=y=team-b".to_owned()), None).unwrap();
    assert_eq!(tokens["k=y"].as_str(), "team-b");
    assert_eq!(tokens.show(), None);
    let error = Tokens::read(&Raw::Text("s3cret=no/tenant".to_owned()), None).unwrap_err();
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn a_share_is_bytes_or_percent() {
    let read = |text: &str| SpaceShare::read(&Raw::Text(text.to_owned()), Some(&(1 << 30..=1 << 50)));
    for (text, share, shown) in [
        ("80%", SpaceShare::Percent(80), "\"80%\""),
        (" 100 % ", SpaceShare::Percent(100), "\"100%\""),
        ("200GiB", SpaceShare::Bytes(200 << 30), "\"200GiB\""),
        ("2TiB", SpaceShare::Bytes(2 << 40), "\"2TiB\""),
    ] {
        assert_eq!(read(text), Ok(share), "{text}");
        assert_eq!(share.show().as_deref(), Some(shown));
        assert_eq!(read(shown.trim_matches('"')), Ok(share), "what is shown reads alike");
    }
    for (text, said) in [
        ("0%", "`0%` is not a share of the file system from 1% to 100%, such as 80%"),
        ("101%", "`101%` is not a share of the file system from 1% to 100%, such as 80%"),
        ("80.5%", "`80.5%` is not a share of the file system from 1% to 100%, such as 80%"),
        ("most", "`most` is neither a number of bytes, such as 200GiB, nor a share, such as 80%"),
        ("1MiB", "1MiB is not between 1GiB and 1024TiB"),
    ] {
        assert_eq!(read(text), Err(said.to_owned()));
    }
}

#[test]
fn tenants_have_durations_of_their_own() {
    const DAY: Duration = Duration::from_hours(24);
    let read = |raw: Raw| TenantDurations::read(&raw, Some(&(60_000..=86_400_000_000)));
    let text = |text: &str| read(Raw::Text(text.to_owned()));
    let tenant = |name: &str| Tenant::new(name).unwrap();
    let expected = TenantDurations(BTreeMap::from([(tenant("acme"), 3 * DAY), (tenant("free"), DAY)]));
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    for raw in [
        Raw::Text("acme=3d, free=24h".to_owned()),
        Raw::List(owned(&["free = 1d", "acme=72h"])),
        Raw::Map(vec![("acme".to_owned(), "3d".to_owned()), ("free".to_owned(), "1d".to_owned())]),
    ] {
        assert_eq!(read(raw.clone()), Ok(expected.clone()), "{raw:?}");
    }
    assert_eq!(text(""), Ok(TenantDurations::default()));
    assert_eq!(expected.show().as_deref(), Some(r#"["acme=3d", "free=1d"]"#));
    for (given, said) in [
        ("acme", "`acme` is not a tenant and a duration, such as acme=3d"),
        ("acme=3", "tenant `acme`: `3` is not a duration such as 250ms, 5s, 10m, 1h or 7d"),
        ("acme=1s", "tenant `acme`: 1s is not between 1m and 1000d"),
        ("acme=3d,acme=1d", "tenant `acme` is listed twice"),
    ] {
        assert_eq!(text(given), Err(said.to_owned()));
    }
    assert!(text("a/b=3d").is_err_and(|said| said.starts_with("tenant `a/b`: ")));
}
