//! Who called whom: calls.

use clew_model::Kind::{Client, Internal, Server, Unspecified};
use clew_rollup::{Connection, Rollup};

use crate::draw::{Drawn, MINUTE, edges, span};

#[test]
fn a_client_and_its_server_are_a_call() {
    let client = span("web", Client, 1, 0).with("http.request.method", "GET");
    assert_eq!(edges(&[client, span("api", Server, 2, 1)]), ["web -> api http"]);
}

#[test]
fn the_connection_is_what_either_side_says() {
    for (key, word) in [
        ("http.route", "http"),
        ("url.path", "http"),
        ("rpc.system", "rpc"),
        ("messaging.system", "messaging"),
        ("db.statement", "database"),
        ("thread.id", "other"),
    ] {
        let call = format!("web -> api {word}");
        assert_eq!(edges(&[span("web", Client, 1, 0).with(key, "x"), span("api", Server, 2, 1)]), [call.as_str()]);
        assert_eq!(edges(&[span("web", Client, 1, 0), span("api", Server, 2, 1).with(key, "x")]), [call.as_str()]);
    }
    // gRPC rides on HTTP, and is what a reader looks for.
    let client = span("web", Client, 1, 0).with("http.request.method", "POST").with("rpc.system", "grpc");
    assert_eq!(edges(&[client, span("api", Server, 2, 1)]), ["web -> api rpc"]);
    assert_eq!(Connection::ALL.map(Connection::as_str).len(), 6);
}

#[test]
fn a_call_is_counted_in_the_minute_in_which_its_caller_began() {
    let client = span("web", Client, 1, 0);
    let mut server = span("api", Server, 2, 1);
    server.start_unix_nanos += 10 * Rollup::MINUTE_NANOS;
    let rollup = Rollup::of_trace(&[client, server], true);
    assert_eq!(rollup.edges(0..u64::MAX, None).map(|(minute, ..)| minute).collect::<Vec<_>>(), [MINUTE]);
    assert_eq!(rollup.series(MINUTE + 10..MINUTE + 11, None, None).count(), 1);
}

#[test]
fn both_sides_have_their_durations() {
    let mut client = span("web", Client, 1, 0);
    client.duration_nanos = 5_000_000;
    let rollup = Rollup::of_trace(&[client, span("api", Server, 2, 1), span("api", Server, 3, 1)], true);
    let (_, _, figures) = rollup.edges(0..u64::MAX, None).next().unwrap();
    assert_eq!((figures.caller_duration.sum_nanos(), figures.callee_duration.sum_nanos()), (10_000_000, 2_000_000));
    assert!(figures.latency.is_zero());
}

#[test]
fn a_call_fails_when_either_side_does_and_once() {
    let (client, server) = (span("web", Client, 1, 0), span("api", Server, 2, 1));
    assert_eq!(edges(&[client.clone().failed(), server.clone()]), ["web -> api other failed 1"]);
    assert_eq!(edges(&[client.clone(), server.clone().with("error", true)]), ["web -> api other failed 1"]);
    assert_eq!(edges(&[client.failed(), server.failed()]), ["web -> api other failed 1"]);
}

#[test]
fn steps_inside_a_service_are_skipped_on_both_sides() {
    let spans = [
        span("web", Client, 1, 0).with("server.address", "api"),
        span("web", Internal, 2, 1),
        span("web", Unspecified, 3, 2),
        span("api", Internal, 4, 3),
        span("api", Internal, 5, 4),
        span("api", Server, 6, 5),
    ];
    assert_eq!(edges(&spans), ["web -> api other"]);
}

#[test]
fn a_step_above_the_server_is_not_another_callee() {
    let spans = [span("web", Internal, 1, 0), span("api", Internal, 2, 1), span("api", Server, 3, 2).failed()];
    assert_eq!(edges(&spans), ["web -> api other failed 1"]);
}

#[test]
fn a_step_of_a_client_that_called_elsewhere_is_not_the_caller() {
    let spans = [span("web", Client, 1, 0).failed(), span("web", Internal, 2, 1), span("api", Server, 3, 2)];
    assert_eq!(edges(&spans), ["web -> api other failed 1"]);
}

#[test]
fn of_spans_with_one_id_the_parent_is_the_one_of_the_same_service() {
    // Zipkin's halves, below which each service goes on.
    let (client, mut server) = (span("web", Client, 2, 0), span("api", Server, 2, 0).failed());
    server.start_unix_nanos += 1;
    let steps = [span("web", Internal, 5, 2), span("api", Client, 3, 2)];
    let [step, call] = steps;
    let spans = [client.clone(), server.clone(), step, call, span("db", Server, 4, 3)];
    assert_eq!(edges(&spans), ["api -> db other", "web -> api other failed 1"]);
    // Of another service, it is the callee's half.
    let spans = [client, server, span("db", Server, 4, 2)];
    assert_eq!(edges(&spans), ["api -> db other failed 1", "web -> api other failed 1"]);
}

#[test]
fn a_parent_of_any_role_in_another_service_calls() {
    assert_eq!(edges(&[span("web", Internal, 1, 0), span("api", Server, 2, 1)]), ["web -> api other"]);
    assert_eq!(edges(&[span("web", Server, 1, 0), span("api", Server, 2, 1)]), ["web -> api other"]);
    let step = span("web", Internal, 1, 0).with("http.url", "http://api/");
    assert_eq!(edges(&[step, span("api", Server, 2, 1)]), ["web -> api http"]);
}

#[test]
fn a_service_without_server_spans_is_called_all_the_same() {
    let client = span("web", Client, 1, 0).with("server.address", "api");
    assert_eq!(edges(&[client.clone(), span("api", Internal, 2, 1)]), ["web -> api other"]);
    let next = span("api", Client, 2, 1);
    assert_eq!(edges(&[client.clone(), next, span("db", Server, 3, 2)]), ["api -> db other", "web -> api other"]);
    // The client made one call, whatever the service did then.
    let steps = [span("api", Internal, 2, 1), span("api", Internal, 3, 1), span("api", Internal, 4, 1)];
    let [two, three, four] = steps;
    assert_eq!(edges(&[client.clone(), two.clone().failed(), three, four]), ["web -> api other failed 1"]);
    // A server says that it took the call, and no step beside it is another.
    assert_eq!(edges(&[client, two.failed(), span("api", Server, 3, 1)]), ["web -> api other"]);
}

#[test]
fn a_server_inside_a_server_of_its_service_was_not_called() {
    let spans =
        [span("web", Client, 1, 0), span("api", Server, 2, 1), span("api", Internal, 3, 2), span("api", Server, 4, 3)];
    assert_eq!(edges(&spans), ["web -> api other"]);
}

#[test]
fn each_try_is_a_call() {
    let spans = [span("web", Client, 1, 0), span("api", Server, 2, 1).failed(), span("api", Server, 3, 1)];
    assert_eq!(edges(&spans), ["web -> api other x2 failed 1"]);
}

#[test]
fn a_service_calls_itself_by_a_client_and_a_server_only() {
    assert_eq!(edges(&[span("web", Client, 1, 0), span("web", Server, 2, 1)]), ["web -> web other"]);
    assert_eq!(edges(&[span("web", Internal, 1, 0), span("web", Server, 2, 1)]), [""; 0]);
    let named = span("web", Client, 1, 0).with("peer.service", "web");
    assert_eq!(edges(&[named]), [""; 0]);
}

#[test]
fn nobody_calls_a_root() {
    assert_eq!(edges(&[span("web", Server, 1, 0)]), [""; 0]);
    assert_eq!(edges(&[span("web", Server, 1, 99)]), [""; 0]);
}

#[test]
fn halves_of_a_call_that_share_an_id_are_two_spans() {
    let (client, server) = (span("web", Client, 2, 1), span("api", Server, 2, 1));
    let below = span("api", Client, 3, 2);
    let last = span("db", Server, 3, 2);
    let root = span("web", Server, 1, 0);
    let mut spans = [root, client, server, below, last];
    let expected = ["api -> db other", "web -> api other"];
    assert_eq!(edges(&spans), expected);
    spans.reverse();
    assert_eq!(edges(&spans), expected);
    // Also within one service.
    assert_eq!(edges(&[span("web", Client, 2, 1), span("web", Server, 2, 1)]), ["web -> web other"]);
}

#[test]
fn of_spans_with_one_id_the_order_does_not_choose() {
    let twins = [span("web", Client, 1, 0), span("app", Client, 1, 0), span("api", Server, 2, 1)];
    let [first, second, callee] = twins;
    let there = edges(&[first.clone(), second.clone(), callee.clone()]);
    assert_eq!(there.len(), 1);
    assert_eq!(there, edges(&[callee, second, first]));
}

#[test]
fn circles_end() {
    assert_eq!(edges(&[span("web", Server, 1, 1)]), [""; 0]);
    let steps = [span("web", Internal, 1, 2), span("web", Internal, 2, 1), span("web", Server, 3, 2)];
    assert_eq!(edges(&steps), [""; 0]);
    let calls = [span("web", Client, 1, 2), span("api", Server, 2, 1)];
    assert_eq!(edges(&calls), ["api -> web other", "web -> api other"]);
    let ring = [span("web", Client, 1, 2), span("web", Client, 2, 1), span("web", Client, 3, 3)];
    assert_eq!(edges(&ring), [""; 0]);
}

#[test]
fn a_database_without_spans_has_a_name() {
    let call = |attributes: &[(&str, &str)]| {
        let drawn = attributes.iter().fold(span("api", Client, 1, 0), |span, (key, value)| span.with(key, *value));
        edges(&[drawn]).join(", ")
    };
    let system = ("db.system.name", "postgresql");
    assert_eq!(call(&[system]), "api -> postgresql database");
    assert_eq!(call(&[system, ("network.peer.address", "10.0.0.1")]), "api -> 10.0.0.1 database");
    let named = [system, ("network.peer.address", "10.0.0.1"), ("net.peer.name", "pg-1")];
    assert_eq!(call(&named), "api -> pg-1 database");
    assert_eq!(call(&[system, ("server.address", "pg"), ("net.peer.name", "pg-1")]), "api -> pg database");
    assert_eq!(call(&[system, ("server.address", "pg"), ("db.namespace", "shop")]), "api -> postgresql/shop database");
    assert_eq!(call(&[("db.system", "mysql"), ("db.name", "shop")]), "api -> mysql/shop database");
    assert_eq!(call(&[("db.name", "shop")]), "api -> shop database");
    assert_eq!(call(&[("peer.service", "orders"), system, ("db.namespace", "shop")]), "api -> orders database");
    // Today's name counts, in whatever order; what is empty does not.
    let both = [("db.system", "other_sql"), ("db.name", "old"), system, ("db.namespace", "new")];
    assert_eq!(call(&both), "api -> postgresql/new database");
    assert_eq!(call(&[("peer.service", ""), system, ("db.namespace", "")]), "api -> postgresql database");
}

#[test]
fn a_host_without_spans_has_a_name() {
    let client = || span("api", Client, 1, 0).with("http.request.method", "GET");
    assert_eq!(edges(&[client()]), [""; 0]);
    assert_eq!(edges(&[client().with("net.peer.name", "pay.example")]), ["api -> pay.example http"]);
    let host = || client().with("net.peer.name", "x").with("server.address", "pay.example");
    assert_eq!(edges(&[host()]), ["api -> pay.example http"]);
    assert_eq!(edges(&[host().with("server.port", 443)]), ["api -> pay.example:443 http"]);
    assert_eq!(edges(&[host().with("server.port", "443")]), ["api -> pay.example:443 http"]);
    assert_eq!(edges(&[host().with("server.port", true)]), ["api -> pay.example http"]);
    assert_eq!(edges(&[host().with("peer.service", "payment")]), ["api -> payment http"]);
}

#[test]
fn a_name_given_to_a_host_and_a_service_of_that_name_are_one() {
    let spans =
        [span("web", Client, 1, 0).with("peer.service", "api"), span("web", Client, 2, 0), span("api", Server, 3, 2)];
    assert_eq!(edges(&spans), ["web -> api other x2"]);
}

#[test]
fn what_carries_a_call_is_not_counted_beside_it() {
    let query = span("api", Client, 1, 0).with("db.system.name", "elasticsearch");
    let request = span("api", Client, 3, 2).with("http.request.method", "GET").with("server.address", "es");
    let step = span("api", Internal, 2, 1);
    assert_eq!(edges(&[query.clone(), step.clone(), request.clone()]), ["api -> elasticsearch database"]);
    // With spans of the other side it is that which counts, once.
    let spans = [query.clone(), step.clone(), request.clone(), span("es", Server, 4, 3)];
    assert_eq!(edges(&spans), ["api -> es http"]);
    // One host, two layers.
    let logical = span("api", Client, 1, 0).with("rpc.system", "aws-api").with("server.address", "es");
    assert_eq!(edges(&[logical.clone(), step.clone(), request.clone()]), ["api -> es rpc"]);
    let spans = [logical, step.clone(), request.clone(), span("es", Server, 4, 3)];
    assert_eq!(edges(&spans), ["api -> es http"]);
    // Another host is another call, and a query is never what carries a request.
    let other = span("api", Client, 1, 0).with("server.address", "gateway");
    assert_eq!(edges(&[other, step.clone(), request.clone()]), ["api -> es http", "api -> gateway other"]);
    let below = span("api", Client, 5, 3).with("db.system", "redis");
    assert_eq!(edges(&[request, below]), ["api -> es http", "api -> redis database"]);
    // A driver below what maps objects.
    assert_eq!(
        edges(&[query, step, span("api", Client, 3, 2).with("db.system", "x")]),
        ["api -> elasticsearch database"]
    );
}

#[test]
fn a_pair_stands_for_as_many_as_its_rarer_side() {
    let mut client = span("web", Client, 1, 0);
    client.trace_state = "ot=th:8".to_owned();
    let mut server = span("api", Server, 2, 1);
    server.trace_state = "ot=th:c".to_owned();
    let rollup = Rollup::of_trace(&[client, server.clone().failed()], true);
    let (_, _, figures) = rollup.edges(0..u64::MAX, None).next().unwrap();
    assert_eq!((figures.received, figures.errors), (1, 1));
    assert_eq!((figures.weighted.to_f64(), figures.weighted_errors.to_f64()), (4.0, 4.0));
}
