//! Text forms of values that serde would write otherwise.

pub(super) mod rfc3339 {
    use std::fmt::Write as _;

    use fcs_core::UnixMicros;
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde calls"
    )]
    pub(in crate::record) fn serialize<S: Serializer>(
        moment: &UnixMicros,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        write!(text, "{moment}").map_err(|_| ser::Error::custom("the time is out of range"))?;
        serializer.serialize_str(&text)
    }

    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<UnixMicros, D::Error> {
        let text = String::deserialize(deserializer)?;
        UnixMicros::parse_rfc3339(&text).map_err(de::Error::custom)
    }
}

pub(super) mod salt_hex {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::record) fn serialize<S: Serializer>(
        salt: &[u8; 16],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(salt))
    }

    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 16], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut salt = [0; 16];
        hex::decode_to_slice(text, &mut salt).map_err(de::Error::custom)?;
        Ok(salt)
    }
}
