//! The shapes of serde as JSON, the way that `serde_json` writes them.

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::CanonicalError;
use super::text::{Object, Text};

type Done = Result<(), CanonicalError>;

/// Writes values.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) text: Text,
}

/// An open array, perhaps the only member of an object that names a variant.
pub(super) struct Items<'a> {
    writer: &'a mut Writer,
    first: bool,
    variant: Option<Object>,
}

/// An open object, perhaps the only member of one that names a variant.
pub(super) struct Members<'a> {
    writer: &'a mut Writer,
    object: Object,
    variant: Option<Object>,
}

impl Writer {
    fn items(&mut self, variant: Option<Object>) -> Items<'_> {
        self.text.raw("[");
        Items {
            writer: self,
            first: true,
            variant,
        }
    }

    fn members(&mut self, variant: Option<Object>) -> Members<'_> {
        let object = self.text.begin_object();
        Members {
            writer: self,
            object,
            variant,
        }
    }

    /// Begins `{"variant":`.
    fn begin_variant(&mut self, variant: &str) -> Object {
        let object = self.text.begin_object();
        self.text.begin_member(&object);
        self.text.string(variant);
        self.text.begin_value();
        object
    }

    fn end_variant(&mut self, variant: Option<Object>) -> Done {
        let Some(object) = variant else {
            return Ok(());
        };
        self.text.end_member();
        self.text.end_object(object)
    }
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if !std::mem::take(&mut self.first) {
            self.writer.text.raw(",");
        }
        value.serialize(&mut *self.writer)
    }

    fn finish(self) -> Done {
        self.writer.text.raw("]");
        self.writer.end_variant(self.variant)
    }
}

impl Members<'_> {
    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Done {
        self.writer.text.begin_member(&self.object);
        self.writer.text.string(name);
        self.value(value)
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.writer.text.begin_value();
        value.serialize(&mut *self.writer)?;
        self.writer.text.end_member();
        Ok(())
    }

    fn finish(self) -> Done {
        self.writer.text.end_object(self.object)?;
        self.writer.end_variant(self.variant)
    }
}

/// Forwards scalars to a method of the text.
macro_rules! scalars {
    ($($name:ident: $number:ty => $method:ident),* $(,)?) => {
        $(fn $name(self, number: $number) -> Done {
            self.text.$method(number.into());
            Ok(())
        })*
    };
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = CanonicalError;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Members<'a>;

    scalars!(
        serialize_i8: i8 => signed,
        serialize_i16: i16 => signed,
        serialize_i32: i32 => signed,
        serialize_i64: i64 => signed,
        serialize_u8: u8 => unsigned,
        serialize_u16: u16 => unsigned,
        serialize_u32: u32 => unsigned,
        serialize_u64: u64 => unsigned,
    );

    fn serialize_bool(self, value: bool) -> Done {
        self.text.raw(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Done {
        self.text.number(number.into())
    }

    fn serialize_f64(self, number: f64) -> Done {
        self.text.number(number)
    }

    fn serialize_char(self, character: char) -> Done {
        self.serialize_str(character.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Done {
        self.text.string(text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.text.raw("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        let object = self.begin_variant(variant);
        value.serialize(&mut *self)?;
        self.end_variant(Some(object))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, CanonicalError> {
        Ok(self.items(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, CanonicalError> {
        Ok(self.items(None))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Items<'a>, CanonicalError> {
        Ok(self.items(None))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, CanonicalError> {
        let object = self.begin_variant(variant);
        Ok(self.items(Some(object)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>, CanonicalError> {
        Ok(self.members(None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, CanonicalError> {
        Ok(self.members(None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members<'a>, CanonicalError> {
        let object = self.begin_variant(variant);
        Ok(self.members(Some(object)))
    }
}

/// Forwards the methods of an open array.
macro_rules! array {
    ($($shape:ident::$method:ident),* $(,)?) => {
        $(impl $shape for Items<'_> {
            type Ok = ();
            type Error = CanonicalError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.item(value)
            }

            fn end(self) -> Done {
                self.finish()
            }
        })*
    };
}

array!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
);

/// Forwards the methods of an open object with fixed names.
macro_rules! object {
    ($($shape:ident),* $(,)?) => {
        $(impl $shape for Members<'_> {
            type Ok = ();
            type Error = CanonicalError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
                self.member(name, value)
            }

            fn end(self) -> Done {
                self.finish()
            }
        })*
    };
}

object!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Members<'_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Done {
        let name = serde_json::to_value(name).map_err(CanonicalError::custom)?;
        self.writer.text.begin_member(&self.object);
        match name {
            serde_json::Value::String(text) => self.writer.text.string(&text),
            serde_json::Value::Number(number) if !number.is_f64() => {
                self.writer.text.string(&number.to_string());
            }
            other => return Err(CanonicalError(format!("{other} is no name of a member"))),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.value(value)
    }

    fn end(self) -> Done {
        self.finish()
    }
}
