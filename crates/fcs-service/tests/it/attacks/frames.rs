//! HTTP/2 by hand (RFC 9113, and RFC 7541 for the fields).

/// What a client sends first, with its settings.
pub(super) fn opening(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in settings {
        payload.extend(name.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &payload));
    bytes
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// The head of a request.
pub(super) fn request(stream: u32, method: &str, path: &str, flags: u8) -> Vec<u8> {
    frame(1, flags | END_HEADERS, stream, &fields(method, path))
}

/// The fields of a request: method, scheme, path, authority, content type.
pub(super) fn fields(method: &str, path: &str) -> Vec<u8> {
    let mut block = vec![if method == "GET" { 0x82 } else { 0x83 }, 0x86];
    block.extend(literal(4, path));
    block.extend(literal(1, "localhost"));
    block.extend(literal(31, "application/json"));
    block
}

/// A field without indexing, whose name is in the static table.
fn literal(name: u8, value: &str) -> Vec<u8> {
    let mut bytes = if name < 15 {
        vec![name]
    } else {
        vec![15, name - 15]
    };
    bytes.push(u8::try_from(value.len()).unwrap());
    bytes.extend(value.as_bytes());
    bytes
}

/// A field that goes into the dynamic table, with a value of 4,000 bytes.
pub(super) fn large_indexed_field() -> Vec<u8> {
    let mut bytes = vec![0x40, 1, b'x', 0x7f];
    // 4,000 = 127 + 3,873 = 127 + 0x21 + 30 * 128
    bytes.extend([0xa1, 0x1e]);
    bytes.extend([b'v'; 4_000]);
    bytes
}
