//! Real documents of every format, made here, and the search results from them.

use std::io::{Cursor, Write};

use serde_json::json;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::server::TestServer;

/// The text of a document, a question about it, and a word of the answer.
const SAID: [(&str, &str, &str); 4] = [
    ("Refunds are paid within 14 days of the return.", "When is a refund paid?", "14"),
    (
        "Возврат товара возможен в течение 14 дней.",
        "За сколько дней можно сделать возвраты товаров?",
        "14",
    ),
    ("退货后十四天内退款。", "退货退款", "十四天"),
    ("返品は十四日以内に返金されます。", "返品の返金", "十四日"),
];

pub fn zip(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A Word document with a paragraph for each line, one of them in two runs with an entity between.
fn docx(text: &str) -> Vec<u8> {
    let paragraphs = format!(
        "<w:p><w:r><w:t>Tea</w:t></w:r><w:r><w:t xml:space=\"preserve\"> &amp; \
         more</w:t></w:r></w:p><w:p><w:r><w:t>{text}</w:t></w:r></w:p>"
    );
    let document = format!(
        "<?xml version=\"1.0\"?><w:document \
         xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>{paragraphs}</w:body></w:document>"
    );
    zip(&[("[Content_Types].xml", "<Types/>"), ("word/document.xml", &document)])
}

/// A presentation of two slides.
fn pptx(text: &str) -> Vec<u8> {
    let slide = |text: &str| {
        format!(
            "<p:sld xmlns:p=\"p\" \
             xmlns:a=\"a\"><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sld>"
        )
    };
    zip(&[("ppt/slides/slide10.xml", &slide("The end")), ("ppt/slides/slide2.xml", &slide(text))])
}

/// A PDF of one page, in a font with character codes of its own. A map in the file gives their
/// texts.
pub fn pdf(text: &str) -> Vec<u8> {
    let codes: String = text.encode_utf16().map(|unit| format!("{unit:04X}")).collect();
    let content = format!("BT /F1 12 Tf 72 720 Td <{codes}> Tj ET");
    let to_unicode = "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Own \
                      def /CMapType 2 def\n1 begincodespacerange <0000> <FFFF> \
                      endcodespacerange\n1 beginbfrange <0000> <FFFF> <0000> endbfrange\nendcmap \
                      end end";
    let stream = |data: &str| format!("<< /Length {} >>\nstream\n{data}\nendstream", data.len());
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font \
         << /F1 5 0 R >> >> >>"
            .to_owned(),
        stream(&content),
        "<< /Type /Font /Subtype /Type0 /BaseFont /Own /Encoding /Identity-H /DescendantFonts [6 0 \
         R] /ToUnicode 7 0 R >>"
            .to_owned(),
        "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Own /CIDSystemInfo << /Registry (Adobe) \
         /Ordering (Identity) /Supplement 0 >> /DW 1000 /FontDescriptor 8 0 R >>"
            .to_owned(),
        stream(to_unicode),
        "<< /Type /FontDescriptor /FontName /Own /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 \
         /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>"
            .to_owned(),
    ];
    let (mut file, mut places) = (b"%PDF-1.5\n".to_vec(), Vec::new());
    for (number, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", number + 1).as_bytes());
    }
    let table = file.len();
    file.extend_from_slice(
        format!("xref\n0 {}\n0000000000 65535 f \n", places.len() + 1).as_bytes(),
    );
    for place in &places {
        file.extend_from_slice(format!("{place:010} 00000 n \n").as_bytes());
    }
    file.extend_from_slice(
        format!("trailer << /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF", places.len() + 1)
            .as_bytes(),
    );
    file
}

fn utf16(text: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// The same text in every format.
fn in_every_format(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("policy.txt", text.into()),
        ("wide.txt", utf16(text)),
        ("policy.md", format!("# Policy\n\n**{text}**\n").into()),
        (
            "policy.html",
            format!(
                "<html><head><title>Policy</title><style>p \
                 {{}}</style></head><body><p>{text}</p></body></html>"
            )
            .into(),
        ),
        ("policy.json", json!({ "policy": text }).to_string().into()),
        ("policy.py", format!("# {text}\nprint('policy')\n").into()),
        ("policy.pdf", pdf(text)),
        ("policy.docx", docx(text)),
        ("policy.pptx", pptx(text)),
    ]
}

#[tokio::test]
async fn every_format_is_found_in_every_language() {
    let server = TestServer::start().await;
    for (said, asked, answer) in SAID {
        for (filename, content) in in_every_format(said) {
            let file = server.document(filename, content).await;
            let store = server.store(&[&file]).await;
            let shown = server.get(&format!("/v1/vector_stores/{store}/files/{file}")).await.body;
            assert_eq!(shown["status"], "completed", "{filename}: {shown}");
            let found = server.search(&store, json!(asked)).await;
            let (found_in, text) =
                found.first().unwrap_or_else(|| panic!("{asked} finds nothing in {filename}"));
            assert_eq!(found_in, filename);
            assert!(text.contains(answer), "{filename}: {text:?}");
        }
    }
}

#[tokio::test]
async fn the_text_of_a_document_is_its_words_and_nothing_of_its_markup() {
    let server = TestServer::start().await;
    let documents = in_every_format("Refunds are paid.");
    let mut texts = Vec::new();
    for (filename, content) in documents {
        let file = server.document(filename, content).await;
        let store = server.store(&[&file]).await;
        let content =
            server.get(&format!("/v1/vector_stores/{store}/files/{file}/content")).await.body;
        texts.push(format!("{filename}: {}", content["data"][0]["text"]));
    }
    insta::assert_snapshot!(texts.join("\n"), @r##"
    policy.txt: "Refunds are paid."
    wide.txt: "Refunds are paid."
    policy.md: "# Policy\n\n**Refunds are paid.**\n"
    policy.html: "Refunds are paid."
    policy.json: "{\"policy\":\"Refunds are paid.\"}"
    policy.py: "# Refunds are paid.\nprint('policy')\n"
    policy.pdf: "Refunds are paid."
    policy.docx: "Tea & more\nRefunds are paid."
    policy.pptx: "Refunds are paid.\n\nThe end"
    "##);
}

#[tokio::test]
async fn words_stay_separate_and_stray_characters_are_harmless() {
    let server = TestServer::start().await;
    let document = concat!(
        r#"<w:document xmlns:w="w"><w:p><w:r><w:t>Name</w:t><w:tab/><w:t>Value</w:t>"#,
        r"<w:br/><w:t>Next</w:t></w:r></w:p></w:document>"
    );
    let slide = concat!(
        r#"<p:sld xmlns:p="p" xmlns:a="a"><a:p><a:r><a:t>Title</a:t></a:r>"#,
        r"<a:br><a:rPr/></a:br><a:r><a:t>Sub</a:t></a:r></a:p></p:sld>"
    );
    let html = utf16("<p>Wide <b>open</b> spaces</p>");
    for (filename, content, expected) in [
        ("tab.docx", zip(&[("word/document.xml", document)]), "Name\tValue\nNext"),
        ("br.pptx", zip(&[("ppt/slides/slide1.xml", slide)]), "Title\nSub"),
        ("zero.txt", b"refund policy\0 here!".to_vec(), "refund policy  here!"),
        ("wide.html", html, "Wide open spaces"),
    ] {
        let file = server.document(filename, content).await;
        let store = server.store(&[&file]).await;
        let content =
            server.get(&format!("/v1/vector_stores/{store}/files/{file}/content")).await.body;
        assert_eq!(content["data"][0]["text"], expected, "{filename}");
    }
}
