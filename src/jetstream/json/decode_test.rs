use super::*;

#[derive(Debug, Default, PartialEq)]
struct Outer {
    name: String,
    inner: Inner,
    sealed: bool,
}

#[derive(Debug, Default, PartialEq)]
struct Inner {
    max: i64,
    size: i64,
    seq: u64,
    subjects: Vec<String>,
    backoff: Vec<i64>,
    metadata: BTreeMap<String, String>,
    time: Option<WallTime>,
    color: u8,
}

impl FromObject for Outer {
    const GO_NAME: &'static str = "Outer";

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        match key {
            "name" => decoder.string(value, &mut self.name),
            "inner" => decoder.object(value, &mut self.inner)?,
            "sealed" => decoder.bool(value, &mut self.sealed),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn embedded_in(key: &str) -> Option<&'static str> {
        (key == "sealed").then_some("Base")
    }
}

impl FromObject for Inner {
    const GO_NAME: &'static str = "Inner";

    fn member(&mut self, decoder: &mut Decoder, key: &str, value: Value<'_>) -> Result<bool, String> {
        match key {
            "max" => decoder.int(value, "int64", &mut self.max),
            "size" => decoder.int32(value, &mut self.size),
            "seq" => decoder.uint64(value, &mut self.seq),
            "subjects" => decoder.strings(value, &mut self.subjects),
            "backoff" => decoder.durations(value, &mut self.backoff),
            "metadata" => decoder.map(value, &mut self.metadata),
            "time" => decoder.time(value, &mut self.time)?,
            "color" => self.color = choice(value, &[("red", 1), ("green", 2)])?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn read(text: &str) -> Result<Outer, String> {
    let mut outer = Outer::default();
    strict(text.as_bytes(), &mut outer).map(|()| outer)
}

fn refused(text: &str) -> String {
    read(text).unwrap_err()
}

#[test]
fn keys_match_in_any_case_and_the_last_duplicate_wins() {
    let outer =
        read(r#"{"NAME":"a","name":"b","Inner":{"MAX":-5,"subjects":["x","y"]},"inner":{"subjects":["z"]}}"#);
    let inner = Inner { max: -5, subjects: vec!["z".into()], ..Inner::default() };
    assert_eq!(outer, Ok(Outer { name: "b".into(), inner, sealed: false }));
}

#[test]
fn null_changes_nothing_but_unsets_lists_and_times() {
    let text = r#"{"name":"a","name":null,"sealed":true,"sealed":null,"inner":null,
        "inner":{"subjects":["x"],"subjects":null,"time":"1970-01-01T00:00:01Z","time":null,"max":null}}"#;
    assert_eq!(read(text), Ok(Outer { name: "a".into(), inner: Inner::default(), sealed: true }));
}

#[test]
fn objects_back_to_back_are_all_applied() {
    assert_eq!(
        read(r#"{"name":"a"} {"sealed":true}"#).map(|outer| (outer.name, outer.sealed)),
        Ok(("a".into(), true))
    );
    assert_eq!(
        refused(r#"{"name":"S"}x"#),
        "invalid character 'x' looking for beginning of value at offset 13"
    );
    assert_eq!(refused(r#"{"name":"S"}{"#), "unexpected EOF");
    assert_eq!(read(""), Ok(Outer::default()));
    assert_eq!(read(" null "), Ok(Outer::default()));
}

#[test]
fn mismatches_name_the_innermost_struct_and_the_whole_path() {
    let cannot = "json: cannot unmarshal";
    assert_eq!(refused("[1]"), format!("{cannot} array into Go value of type server.Outer"));
    assert_eq!(
        refused(r#"{"name":5}"#),
        format!("{cannot} number into Go struct field Outer.name of type string")
    );
    assert_eq!(
        refused(r#"{"sealed":1}"#),
        format!("{cannot} number into Go struct field Outer.Base.sealed of type bool")
    );
    let inner = |text: &str| refused(&format!("{{\"inner\":{{{text}}}}}"));
    let field = "into Go struct field Inner.inner";
    assert_eq!(inner(r#""max":1.5"#), format!("{cannot} number 1.5 {field}.max of type int64"));
    assert_eq!(
        inner(r#""size":3000000000"#),
        format!("{cannot} number 3000000000 {field}.size of type int32")
    );
    assert_eq!(inner(r#""seq":-1"#), format!("{cannot} number -1 {field}.seq of type uint64"));
    assert_eq!(inner(r#""subjects":"a""#), format!("{cannot} string {field}.subjects of type []string"));
    assert_eq!(inner(r#""subjects":[1]"#), format!("{cannot} number {field}.subjects of type string"));
    assert_eq!(
        inner(r#""backoff":[1,"x"]"#),
        format!("{cannot} string {field}.backoff of type time.Duration")
    );
    assert_eq!(inner(r#""metadata":{"a":1}"#), format!("{cannot} number {field}.metadata of type string"));
    assert_eq!(
        inner(r#""metadata":[]"#),
        format!("{cannot} array {field}.metadata of type map[string]string")
    );
    assert_eq!(
        refused(r#"{"inner":5}"#),
        format!("{cannot} number into Go struct field Outer.inner of type server.Inner")
    );
}

#[test]
fn the_first_mismatch_is_told_unless_something_ends_decoding() {
    assert_eq!(refused(r#"{"zz":1,"name":5}"#), "json: unknown field \"zz\"");
    assert_eq!(refused(r#"{"zz":1,"inner":{"color":"blue"}}"#), "can not unmarshal \"\\\"blue\\\"\"");
    assert_eq!(refused(r#"{"inner":{"color":null}}"#), "can not unmarshal \"null\"");
    assert_eq!(refused(r#"{"inner":{"time":5}}"#), "Time.UnmarshalJSON: input is not a JSON string");
    assert_eq!(refused(r#"{"zz":1"#), "unexpected EOF");
}

#[test]
fn a_lenient_reader_ignores_unknown_fields_but_wants_one_value() {
    let read = |text: &str| {
        let mut outer = Outer::default();
        lenient(text.as_bytes(), &mut outer).map(|()| outer.name)
    };
    assert_eq!(read(r#"{"zz":1,"name":"a"} "#), Ok("a".into()));
    assert_eq!(read(""), Err("unexpected end of JSON input".into()));
    assert_eq!(read("{"), Err("unexpected end of JSON input".into()));
    assert_eq!(read("garbage"), Err("invalid character 'g' looking for beginning of value".into()));
    assert_eq!(read("{}{}"), Err("invalid character '{' after top-level value".into()));
}
