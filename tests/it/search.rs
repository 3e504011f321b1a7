//! Searches in vector stores: their results, the order, and that they are always the same.

use serde_json::{Value, json};

use crate::server::TestServer;

/// A store with one file for each of these texts.
async fn store_of(server: &TestServer, texts: &[(&str, &str, Value)]) -> String {
    let store = server.store(&[]).await;
    for (name, text, attributes) in texts {
        let file = server.document(name, *text).await;
        let new = json!({"file_id": file, "attributes": attributes});
        assert_eq!(
            server.post(&format!("/v1/vector_stores/{store}/files"), new).await.status.as_u16(),
            200
        );
    }
    server.idle().await;
    store
}

async fn names(server: &TestServer, store: &str, query: Value) -> Vec<String> {
    server.search(store, query).await.into_iter().map(|(name, _)| name).collect()
}

#[tokio::test]
async fn results_have_the_shape_of_the_document_and_scores_between_zero_and_one() {
    let server = TestServer::start().await;
    let store = store_of(
        &server,
        &[
            (
                "much.txt",
                "Refunds, refunds, refunds: a refund is paid within 14 days.",
                json!({"n": 1}),
            ),
            (
                "little.txt",
                "We sell tea. A refund is possible. We open at nine and close at five, but never \
                 on a Sunday.",
                json!({}),
            ),
            ("none.txt", "Shipping is free.", json!({})),
        ],
    )
    .await;
    let answer = server
        .post(&format!("/v1/vector_stores/{store}/search"), json!({"query": "refund"}))
        .await
        .body;
    assert_eq!(answer["object"], "vector_store.search_results.page");
    assert_eq!(answer["search_query"], json!(["refund"]));
    assert_eq!((&answer["has_more"], &answer["next_page"]), (&json!(false), &Value::Null));
    let data = answer["data"].as_array().unwrap();
    assert_eq!(data.len(), 2);
    let keys: Vec<_> = data[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["file_id", "filename", "score", "attributes", "content"]);
    assert_eq!(
        (&data[0]["filename"], &data[0]["attributes"]),
        (&json!("much.txt"), &json!({"n": 1}))
    );
    let scores: Vec<_> = data.iter().map(|item| item["score"].as_f64().unwrap()).collect();
    assert!(1.0 > scores[0] && scores[0] > scores[1] && scores[1] > 0.0, "{scores:?}");
    let again = server
        .post(&format!("/v1/vector_stores/{store}/search"), json!({"query": "refund"}))
        .await
        .body;
    assert_eq!(again, answer);
}

#[tokio::test]
async fn a_store_ranks_by_itself_whatever_else_there_is() {
    let texts =
        [("a.txt", "red apples and green pears", json!({})), ("b.txt", "green apples", json!({}))];
    let server = TestServer::start().await;
    let alone = store_of(&server, &texts).await;
    let search = async |server: &TestServer, store: &str| {
        let body = server
            .post(&format!("/v1/vector_stores/{store}/search"), json!({"query": "red apples"}))
            .await
            .body;
        body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["score"].to_string())
            .collect::<Vec<_>>()
    };
    let before = search(&server, &alone).await;
    let _crowd = store_of(
        &server,
        &[("c.txt", "red red red apples", json!({})), ("d.txt", "a red house", json!({}))],
    )
    .await;
    let twin = store_of(&server, &texts).await;
    assert_eq!(search(&server, &alone).await, before);
    assert_eq!(search(&server, &twin).await, before);
}

#[tokio::test]
async fn words_are_found_in_their_other_forms_and_phrases_without_spaces() {
    let server = TestServer::start().await;
    let store = store_of(
        &server,
        &[
            ("en.txt", "Our policies: returned items are refunded quickly.", json!({})),
            (
                "ru.txt",
                "Возвращённые товары принимаются на складе. Счета выставляет бухгалтерия.",
                json!({}),
            ),
            ("zh.txt", "本公司提供免费送货服务,退货政策请参阅网站。", json!({})),
            (
                "ja.txt",
                "返品ポリシーについては、カスタマーサポートまでお問い合わせください。",
                json!({}),
            ),
            ("ko.txt", "반품은 십사일 이내에 가능합니다.", json!({})),
        ],
    )
    .await;
    for (query, name) in [
        ("policy", "en.txt"),
        ("RETURNING", "en.txt"),
        ("товаров", "ru.txt"),
        ("склад", "ru.txt"),
        ("счетов", "ru.txt"),
        ("возвращенный", "ru.txt"),
        ("退货政策", "zh.txt"),
        ("送货", "zh.txt"),
        ("返品ポリシー", "ja.txt"),
        ("カスタマーサポート", "ja.txt"),
        ("ｶｽﾀﾏｰ", "ja.txt"),
        ("반품", "ko.txt"),
    ] {
        assert_eq!(
            names(&server, &store, json!(query)).await.first().map(String::as_str),
            Some(name),
            "{query}"
        );
    }
    assert!(names(&server, &store, json!("zebra")).await.is_empty());
    assert!(names(&server, &store, json!("?!")).await.is_empty());
    assert!(
        names(&server, &store, json!("\" OR * NEAR( :")).await.is_empty(),
        "a query is words, never a language"
    );
}

#[tokio::test]
async fn filters_narrow_by_attributes() {
    let server = TestServer::start().await;
    let store = store_of(
        &server,
        &[
            ("2023.txt", "apples", json!({"year": 2023, "lang": "en", "draft": false})),
            ("2024.txt", "apples", json!({"year": 2024, "lang": "ru", "draft": true})),
            ("none.txt", "apples", json!({})),
        ],
    )
    .await;
    let is =
        |kind: &str, key: &str, value: Value| json!({"type": kind, "key": key, "value": value});
    for (filter, expected) in [
        (is("eq", "year", json!(2023)), vec!["2023.txt"]),
        (is("eq", "year", json!(2023.0)), vec!["2023.txt"]),
        (is("eq", "year", json!("2023")), vec![]),
        (is("ne", "lang", json!("en")), vec!["2024.txt", "none.txt"]),
        (is("gt", "year", json!(2023)), vec!["2024.txt"]),
        (is("gte", "year", json!(2023)), vec!["2023.txt", "2024.txt"]),
        (is("lt", "year", json!(2024)), vec!["2023.txt"]),
        (is("lte", "year", json!(2022)), vec![]),
        (is("eq", "draft", json!(true)), vec!["2024.txt"]),
        (is("in", "lang", json!(["ru", "de"])), vec!["2024.txt"]),
        (is("nin", "lang", json!(["ru", "de"])), vec!["2023.txt", "none.txt"]),
        (
            json!({"type": "and",
                "filters": [is("gte", "year", json!(2023)), is("eq", "lang", json!("ru"))]}),
            vec!["2024.txt"],
        ),
        (
            json!({"type": "or", "filters": [
                is("eq", "year", json!(2023)),
                {"type": "and", "filters": [is("eq", "year", json!(2024)),
                    is("eq", "draft", json!(true))]}
            ]}),
            vec!["2023.txt", "2024.txt"],
        ),
    ] {
        let query = json!({"query": "apples", "filters": filter});
        assert_eq!(names(&server, &store, query).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn several_queries_thresholds_and_pages() {
    let server = TestServer::start().await;
    let texts: Vec<_> = (0..7)
        .map(|number| (format!("{number}.txt"), format!("apples {}", "pears ".repeat(number))))
        .collect();
    let texts: Vec<_> =
        texts.iter().map(|(name, text)| (name.as_str(), text.as_str(), json!({}))).collect();
    let store = store_of(&server, &texts).await;
    let both = server
        .post(&format!("/v1/vector_stores/{store}/search"), json!({"query": ["pears", "zebra"]}))
        .await
        .body;
    assert_eq!(both["search_query"], json!(["pears", "zebra"]));
    assert_eq!(both["data"].as_array().unwrap().len(), 6);
    let all = names(&server, &store, json!({"query": "apples pears", "max_num_results": 50})).await;
    assert_eq!(all.len(), 7);
    let first = server
        .post(
            &format!("/v1/vector_stores/{store}/search"),
            json!({"query": "apples pears", "max_num_results": 3}),
        )
        .await
        .body;
    assert_eq!(first["has_more"], true);
    let next = first["next_page"].as_str().unwrap();
    let path = format!("/v1/vector_stores/{store}/search?page={next}");
    let second =
        server.post(&path, json!({"query": "apples pears", "max_num_results": 50})).await.body;
    assert_eq!((&second["has_more"], second["data"].as_array().unwrap().len()), (&json!(false), 4));
    let high = json!({"query": "apples zebra",
        "ranking_options": {"ranker": "auto", "score_threshold": 0.99}});
    assert!(names(&server, &store, high).await.is_empty());
    let mut told = Vec::new();
    for body in [
        json!({}),
        json!({"query": 1}),
        json!({"query": []}),
        json!({"query": "x", "max_num_results": 51}),
        json!({"query": "x", "max_num_results": 0}),
        json!({"query": "x", "ranking_options": {"score_threshold": 1.5}}),
        json!({"query": "x", "ranking_options": {"ranker": "best"}}),
        json!({"query": "x", "filters": {"type": "like", "key": "k", "value": "v"}}),
        json!({"query": "x", "filters": {"type": "eq", "key": "k", "value": {}}}),
        json!({"query": "x", "filters": {"type": "in", "key": "k", "value": "v"}}),
        json!({"query": "x", "filters": {"type": "and", "filters": [{"type": "eq", "key": "k"}]}}),
        json!({"query": "x", "limit": 1}),
    ] {
        told.push(server.post(&format!("/v1/vector_stores/{store}/search"), body).await.refusal());
    }
    insta::assert_snapshot!(told.join("\n"), @r##"
    400 Missing required parameter: 'query'. ["query" "missing_required_parameter"]
    400 Invalid type for 'query': expected one of a string or array of strings, but got an integer instead. ["query" "invalid_type"]
    400 Invalid 'query': empty array. Expected an array with minimum length 1, but got an empty array instead. ["query" "empty_array"]
    400 Invalid 'max_num_results': integer above maximum value. Expected a value <= 50, but got 51 instead. ["max_num_results" "integer_above_max_value"]
    400 Invalid 'max_num_results': integer below minimum value. Expected a value >= 1, but got 0 instead. ["max_num_results" "integer_below_min_value"]
    400 Invalid 'ranking_options.score_threshold': decimal above maximum value. Expected a value <= 1, but got 1.5 instead. ["ranking_options.score_threshold" "decimal_above_max_value"]
    400 Invalid value: 'best'. Supported values are: 'none', 'auto', 'default-2024-11-15', and 'default_2024_08_21'. ["ranking_options.ranker" "invalid_value"]
    400 Invalid value: 'like'. Supported values are: 'eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'and', and 'or'. ["filters.type" "invalid_value"]
    400 Invalid type for 'filters.value': expected one of a string, a number, or a boolean, but got an object instead. ["filters.value" "invalid_type"]
    400 Invalid type for 'filters.value': expected an array of strings or numbers, but got a string instead. ["filters.value" "invalid_type"]
    400 Missing required parameter: 'filters.filters[0].value'. ["filters.filters[0].value" "missing_required_parameter"]
    400 Unknown parameter: 'limit'. ["limit" "unknown_parameter"]
    "##);
}

#[tokio::test]
async fn long_texts_are_cut_and_every_part_is_found() {
    let server = TestServer::start().await;
    let text: String =
        (0..4000).map(|number| format!("Paragraph {number} speaks of item{number}.\n")).collect();
    let file = server.document("long.txt", text.clone()).await;
    let store = server.store(&[&file]).await;
    for number in [0, 1234, 3999] {
        let found = server.search(&store, json!(format!("item{number}"))).await;
        assert!(
            (1..=2).contains(&found.len()),
            "chunks overlap, so it is in one or two: {}",
            found.len()
        );
        assert!(found.iter().all(|(_, text)| text.contains(&format!("item{number}."))));
    }
    let content = server.get(&format!("/v1/vector_stores/{store}/files/{file}/content")).await.body;
    assert_eq!(
        content["data"][0]["text"].as_str().unwrap(),
        text,
        "put together again, it is the same text"
    );
}

#[tokio::test]
async fn a_filter_finds_the_few_among_the_many() {
    let server = TestServer::start().await;
    let store = server.store(&[]).await;
    let mut files = Vec::new();
    for number in 0..150 {
        let file = server.document(&format!("{number}.txt"), "apples apples apples").await;
        files.push(json!({"file_id": file}));
    }
    let one = server
        .document(
            "one.txt",
            "We also grow apples, among very many other things that nobody asks for.",
        )
        .await;
    files.push(json!({"file_id": one, "attributes": {"kind": "one"}}));
    server
        .post(&format!("/v1/vector_stores/{store}/file_batches"), json!({ "files": files }))
        .await;
    server.idle().await;
    let query =
        json!({"query": "apples", "filters": {"type": "eq", "key": "kind", "value": "one"}});
    assert_eq!(names(&server, &store, query).await, ["one.txt"]);
    let page = server
        .get(&format!("/v1/vector_stores/{store}/files?filter=completed&limit=100"))
        .await
        .body;
    let next = format!(
        "/v1/vector_stores/{store}/files?filter=failed&after={}",
        page["last_id"].as_str().unwrap()
    );
    assert_eq!(server.get(&next).await.body["data"], json!([]), "a cursor may have left the list");
}

#[tokio::test]
async fn a_long_query_is_looked_at_as_far_as_it_makes_sense() {
    let server = TestServer::start().await;
    let store = store_of(&server, &[("a.txt", "apples", json!({}))]).await;
    let long: String = (0..200_000).map(|number| format!("apples{number} ")).collect();
    assert!(names(&server, &store, json!(long)).await.is_empty());
    assert_eq!(names(&server, &store, json!(format!("apples {long}"))).await, ["a.txt"]);
    let refused = server
        .post(&format!("/v1/vector_stores/{store}/search"), json!({"query": vec!["x"; 33]}))
        .await
        .refusal();
    assert!(refused.contains("maximum length 32"), "{refused}");
}
