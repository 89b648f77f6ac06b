//! Rust values as plain JavaScript ones and back: what is posted between the page and its workers, and the options that
//! callers give. Only what these need: a general library for it is a tenth of what is downloaded before the prompt.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

pub trait Field: Sized {
    /// What it is called to who gave another thing.
    const WHAT: &str;

    fn to_js(&self) -> JsValue;
    /// `None` where it is something else.
    fn of_js(value: &JsValue) -> Option<Self>;
}

impl Field for u32 {
    const WHAT: &str = "a whole number";

    fn to_js(&self) -> JsValue {
        (*self).into()
    }
    fn of_js(value: &JsValue) -> Option<u32> {
        let number = value.as_f64()?;
        (f64::from(number as u32) == number).then_some(number as u32)
    }
}

impl Field for f64 {
    const WHAT: &str = "a number";

    fn to_js(&self) -> JsValue {
        (*self).into()
    }
    fn of_js(value: &JsValue) -> Option<f64> {
        value.as_f64()
    }
}

impl Field for bool {
    const WHAT: &str = "true or false";

    fn to_js(&self) -> JsValue {
        (*self).into()
    }
    fn of_js(value: &JsValue) -> Option<bool> {
        value.as_bool()
    }
}

impl Field for String {
    const WHAT: &str = "a string";

    fn to_js(&self) -> JsValue {
        self.into()
    }
    fn of_js(value: &JsValue) -> Option<String> {
        value.as_string()
    }
}

impl Field for Vec<u8> {
    const WHAT: &str = "a Uint8Array";

    fn to_js(&self) -> JsValue {
        Uint8Array::from(&self[..]).into()
    }
    fn of_js(value: &JsValue) -> Option<Vec<u8>> {
        value.dyn_ref().map(Uint8Array::to_vec)
    }
}

impl Field for Vec<String> {
    const WHAT: &str = "an array of strings";

    fn to_js(&self) -> JsValue {
        self.iter().map(JsValue::from).collect::<Array>().into()
    }
    fn of_js(value: &JsValue) -> Option<Vec<String>> {
        value.dyn_ref::<Array>()?.iter().map(|item| item.as_string()).collect()
    }
}

impl<T: Field> Field for Option<T> {
    const WHAT: &str = T::WHAT;

    fn to_js(&self) -> JsValue {
        self.as_ref().map_or(JsValue::UNDEFINED, T::to_js)
    }
    fn of_js(value: &JsValue) -> Option<Option<T>> {
        if value.is_null() || value.is_undefined() { Some(None) } else { T::of_js(value).map(Some) }
    }
}

/// An enum whose values are messages: an array of the variant's number and its fields. Both sides are this program, so
/// nothing stands in it but what differs. A variant of one field without a name gets one here: `Report(text: String)`.
macro_rules! messages {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$about:meta])* $variant:ident $(($one:ident: $of:ty))? $({ $($field:ident: $ty:ty),* $(,)? })?),* $(,)?
    }) => {
        $(#[$meta])*
        pub enum $name {
            $($(#[$about])* $variant $(($of))? $({ $($field: $ty),* })?),*
        }

        const _: () = {
            use $crate::record::Field;

            enum Number { $($variant),* }

            impl $name {
                pub fn to_js(&self) -> wasm_bindgen::JsValue {
                    let fields = js_sys::Array::new();
                    match self {
                        $($name::$variant $(($one))? $({ $($field),* })? => {
                            fields.push(&(Number::$variant as u32).into());
                            $(fields.push(&$one.to_js());)?
                            $($(fields.push(&$field.to_js());)*)?
                        })*
                    }
                    fields.into()
                }

                pub fn of_js(value: &wasm_bindgen::JsValue) -> Option<$name> {
                    let fields: &js_sys::Array = wasm_bindgen::JsCast::dyn_ref(value)?;
                    let number = u32::of_js(&fields.get(0))?;
                    let mut at = 0..;
                    let mut next = move || { at.next(); fields.get(at.start) };
                    $(if number == Number::$variant as u32 {
                        return Some($name::$variant
                            $((<$of>::of_js(&next())?))?
                            $({ $($field: <$ty>::of_js(&next())?),* })?);
                    })*
                    let _ = &mut next;
                    None
                }
            }
        };
    };
}

/// A struct whose values are objects with these properties; what isn't there is the field's default.
macro_rules! options {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$about:meta])* $fv:vis $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Default)]
        $vis struct $name { $($(#[$about])* $fv $field: $ty),* }

        impl $name {
            /// Fails with a text for who gave a property that is something else.
            $vis fn of_js(value: &wasm_bindgen::JsValue) -> Result<$name, wasm_bindgen::JsError> {
                Ok($name { $($field: $crate::record::property(value, stringify!($field))?),* })
            }

            #[allow(dead_code, reason = "some are only read")]
            $vis fn to_js(&self) -> js_sys::Object {
                $crate::js::object(&[$((stringify!($field), &$crate::record::Field::to_js(&self.$field))),*])
            }
        }
    };
}

pub(crate) use {messages, options};

/// A property of an object, or the default where there is none.
pub fn property<T: Field + Default>(of: &JsValue, name: &str) -> Result<T, wasm_bindgen::JsError> {
    let value = crate::js::get(of, name);
    if value.is_undefined() {
        return Ok(T::default());
    }
    T::of_js(&value).ok_or_else(|| wasm_bindgen::JsError::new(&["`", name, "` is not ", T::WHAT].concat()))
}
