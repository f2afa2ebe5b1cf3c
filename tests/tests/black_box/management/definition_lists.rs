//! The list of definitions: filters, pages, order.

use std::time::Duration;

use chancery_tests::on_every_backend;

use super::*;

/// The badge under another label and type.
fn variant(label: &str, vct: &str) -> Value {
    let mut body = samples::staff_badge();
    body["label"] = label.into();
    body["credentialDefinitions"][0]["vct"] = vct.into();
    body
}

fn labels(list: &Value) -> Vec<&str> {
    let all = list["credentialDefinitions"].as_array().expect("definitions");
    all.iter().map(|definition| definition["label"].as_str().expect("a label")).collect()
}

on_every_backend! {
    /// At 0, 1, limit and limit + 1 items.
    async fn definitions_are_listed_in_pages(world: &World) {
        let operator = world.organisation().await;
        let list = async |query: &str| operator.get(&format!("{DEFINITIONS}?{query}")).await;
        check_pages(list, "credentialDefinitions", "credentialDefinitionId", 0, 3).await;
        for total in 1..=4 {
            operator.define(&samples::staff_badge()).await;
            world.advance(Duration::from_secs(1));
            if total != 2 {
                check_pages(list, "credentialDefinitions", "credentialDefinitionId", total, 3).await;
            }
        }
        let first = list("").await.ok();
        assert_eq!(first["pagination"]["limit"], 10, "the default");
    }

    async fn definitions_are_found_by_their_filters(world: &World) {
        let operator = world.organisation().await;
        for (label, vct) in [
            ("Library card", "https://types.example/library"),
            ("Parking permit", "https://types.example/parking"),
            ("Library card 100%", "urn:library_2"),
        ] {
            operator.define(&variant(label, vct)).await;
            world.advance(Duration::from_secs(1));
        }
        world.organisation().await.define(&variant("Library of others", "https://types.example/library")).await;
        let found = async |query: &str| {
            let list = operator.get(&format!("{DEFINITIONS}?{query}")).await.ok();
            let found: Vec<String> = labels(&list).into_iter().map(str::to_owned).collect();
            assert_eq!(list["pagination"]["totalItems"], found.len(), "{query}");
            found
        };
        assert_eq!(found("").await, ["Library card 100%", "Parking permit", "Library card"]);
        assert_eq!(found("sortOrder=asc").await, ["Library card", "Parking permit", "Library card 100%"]);
        assert_eq!(found("vct=https://types.example/library").await, ["Library card"]);
        assert_eq!(found("vct=https://types.example/LIBRARY").await, [""; 0]);
        assert_eq!(found("search=library").await, ["Library card 100%", "Library card"]);
        assert_eq!(found("search=PARK").await, ["Parking permit"]);
        // Wildcards of SQL are letters like any other.
        assert_eq!(found("search=100%25").await, ["Library card 100%"]);
        assert_eq!(found("search=library_").await, ["Library card 100%"]);
        assert_eq!(found("search='%20OR%20''='").await, [""; 0]);
        assert_eq!(found("search=card&vct=urn:library_2").await, ["Library card 100%"]);
        // No definition of this release has one of these.
        assert_eq!(found("doctype=org.iso.18013.5.1.mDL").await, [""; 0]);
        assert_eq!(found("type=VerifiableCredential").await, [""; 0]);
    }

    /// A `vct` has at most 2,048 characters, wherever it stands.
    async fn a_definition_is_found_by_the_longest_vct(world: &World) {
        let operator = world.organisation().await;
        let longest = format!("https://types.example/{:x<1$}", "", 2_048 - "https://types.example/".len());
        operator.define(&variant("Longest", &longest)).await;
        let list = operator.get(&format!("{DEFINITIONS}?vct={longest}")).await.ok();
        assert_eq!(labels(&list), ["Longest"]);
        let answer = operator.get(&format!("{DEFINITIONS}?vct={longest}x")).await;
        assert_problem(&answer, 400, "invalid-query");
        answer.problem_at(400, "/vct");
    }

    /// Counting is left out on request; whether more follows is still told.
    async fn a_list_without_counts_still_knows_its_neighbours(world: &World) {
        let operator = world.organisation().await;
        for _ in 0..3 {
            operator.define(&samples::staff_badge()).await;
        }
        for (offset, previous, next) in [(0, false, true), (2, true, false)] {
            let list = operator.get(&format!("{DEFINITIONS}?skipCounts=true&limit=2&offset={offset}")).await.ok();
            let pagination = &list["pagination"];
            assert_eq!((&pagination["totalItems"], &pagination["totalPages"]), (&json!(0), &json!(0)));
            assert_eq!((&pagination["hasPrevious"], &pagination["hasNext"]), (&json!(previous), &json!(next)));
        }
    }

    /// A parameter that cannot be obeyed is refused by its name; one that nobody defined passes by.
    async fn a_wrong_query_is_refused_by_its_parameter(world: &World) {
        let operator = world.organisation().await;
        for list in [DEFINITIONS, HISTORY, KEYS, API_KEY_LIST] {
            for (parameter, query) in [
                ("offset", "offset=-1"),
                ("offset", "offset=1.5"),
                ("offset", "offset=99999999999999999999"),
                ("offset", "offset=one"),
                ("limit", "limit=0"),
                ("limit", "limit=-3"),
                ("limit", "limit=101"),
                ("limit", "limit=%00"),
                ("sortOrder", "sortOrder=newest"),
                ("sortOrder", "sortOrder=ASC"),
                ("sortOrder", "sortOrder=asc%00"),
                ("limit", "limit=2&limit=3"),
            ] {
                let answer = operator.get(&format!("{list}?{query}")).await;
                assert_problem(&answer, 400, "invalid-query");
                answer.problem_at(400, &format!("/{parameter}"));
            }
            operator.get(&format!("{list}?colour=red&limit=100&offset=4294967295")).await.ok();
        }
        for (parameter, query) in [
            ("status", "status=offered"),
            ("accepted", "accepted=yes"),
            ("revoked", "revoked=1"),
            ("search", &format!("search={}", "x".repeat(256))),
        ] {
            operator.get(&format!("{HISTORY}?{query}")).await.problem_at(400, &format!("/{parameter}"));
        }
        operator.get(&format!("{DEFINITIONS}?skipCounts=maybe")).await.problem_at(400, "/skipCounts");
    }

    /// A search for what no text column can hold finds nothing; it must not fail in the database.
    async fn a_search_for_a_nul_character_finds_nothing(world: &World) {
        let operator = world.organisation().await;
        for (list, parameters) in [
            (DEFINITIONS, vec!["search", "vct"]),
            (HISTORY, vec!["search", "holderDid", "credentialDefinitionId"]),
        ] {
            for parameter in parameters {
                let answer = operator.get(&format!("{list}?{parameter}=a%00b")).await;
                assert!(matches!(answer.status, 200 | 400), "{parameter}: {answer}");
            }
        }
        let answer = world.platform().get("/v2/platform/organisations?search=a%00b").await;
        assert!(matches!(answer.status, 200 | 400), "{answer}");
    }
}
