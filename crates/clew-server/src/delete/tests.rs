use std::sync::Mutex;

use super::*;

/// Remembers what it was asked to delete, and answers alike.
struct Memory {
    asked: Mutex<Vec<(Tenant, Option<TraceId>)>>,
    answer: Option<Result<(), String>>,
}

impl Deletes for Memory {
    fn delete(&self, tenant: &Tenant, trace_id: Option<TraceId>, done: Done) {
        self.asked.lock().unwrap().push((tenant.clone(), trace_id));
        if let Some(answer) = self.answer.clone() {
            done(answer);
        }
    }
}

#[tokio::test]
async fn what_the_store_says_is_what_is_answered() {
    let tenant = Tenant::new("acme").unwrap();
    let id = TraceId([1; 16]);
    for (answer, expected) in [
        (Some(Ok(())), Ok(())),
        (Some(Err("the disk is full".to_owned())), Err("not deleted: the disk is full")),
        // A store that drops the call has not deleted anything.
        (None, Err("not deleted: the server is stopping")),
    ] {
        let store = Memory { asked: Mutex::default(), answer };
        let result = delete_from(&store, &tenant, Some(id)).await;
        assert_eq!(result.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        assert_eq!(*store.asked.lock().unwrap(), [(tenant.clone(), Some(id))]);
    }
}

#[test]
fn an_answer_names_what_it_speaks_of_alone() {
    let all = Deleted { tenant: "acme".to_owned(), trace_id: None, span_count: None };
    let text = serde_json::to_string(&DeleteAnswer { deleted: all }).unwrap();
    assert_eq!(text, r#"{"deleted":{"tenant":"acme"}}"#);
    let one = Deleted { tenant: "acme".to_owned(), trace_id: Some("ab".to_owned()), span_count: Some(3) };
    let text = serde_json::to_string(&DeleteAnswer { deleted: one }).unwrap();
    assert_eq!(text, r#"{"deleted":{"tenant":"acme","traceId":"ab","spanCount":3}}"#);
}
