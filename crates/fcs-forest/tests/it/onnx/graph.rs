//! The messages of ONNX as a writer needs them, and a small model to break.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Model {
    #[prost(int64, tag = "1")]
    pub(super) ir_version: i64,
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    pub(super) opset_import: Vec<OperatorSet>,
    #[prost(message, repeated, tag = "14")]
    pub(super) metadata_props: Vec<Property>,
    #[prost(message, repeated, tag = "25")]
    pub(super) functions: Vec<OperatorSet>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Property {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    pub(super) input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<ValueInfo>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<Attribute>,
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Attribute {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(float, tag = "2")]
    pub(super) f: f32,
    #[prost(int64, tag = "3")]
    pub(super) i: i64,
    #[prost(string, tag = "4")]
    pub(super) s: String,
    #[prost(message, optional, tag = "5")]
    pub(super) t: Option<Tensor>,
    #[prost(float, repeated, tag = "7")]
    pub(super) floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub(super) ints: Vec<i64>,
    #[prost(string, repeated, tag = "9")]
    pub(super) strings: Vec<String>,
    #[prost(int32, tag = "20")]
    pub(super) kind: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub(super) float_data: Vec<f32>,
    #[prost(int64, repeated, tag = "7")]
    pub(super) int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub(super) raw_data: Vec<u8>,
    #[prost(int32, tag = "14")]
    pub(super) data_location: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) kind: Option<Type>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Type {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorType {
    #[prost(int32, tag = "1")]
    pub(super) element: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Shape {
    #[prost(message, repeated, tag = "1")]
    pub(super) dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Dimension {
    #[prost(int64, optional, tag = "1")]
    pub(super) value: Option<i64>,
}

fn attribute(name: &str, kind: i32) -> Attribute {
    Attribute {
        name: name.to_owned(),
        kind,
        ..Attribute::default()
    }
}

pub(super) fn int(name: &str, i: i64) -> Attribute {
    Attribute {
        i,
        ..attribute(name, 2)
    }
}

pub(super) fn float(name: &str, f: f32) -> Attribute {
    Attribute {
        f,
        ..attribute(name, 1)
    }
}

pub(super) fn string(name: &str, s: &str) -> Attribute {
    Attribute {
        s: s.to_owned(),
        ..attribute(name, 3)
    }
}

pub(super) fn ints(name: &str, ints: &[i64]) -> Attribute {
    Attribute {
        ints: ints.to_vec(),
        ..attribute(name, 7)
    }
}

pub(super) fn floats(name: &str, floats: &[f32]) -> Attribute {
    Attribute {
        floats: floats.to_vec(),
        ..attribute(name, 6)
    }
}

pub(super) fn tensor(name: &str, tensor: Tensor) -> Attribute {
    Attribute {
        t: Some(tensor),
        ..attribute(name, 4)
    }
}

pub(super) fn strings(name: &str, strings: &[&str]) -> Attribute {
    Attribute {
        strings: strings.iter().map(|&text| text.to_owned()).collect(),
        ..attribute(name, 8)
    }
}

pub(super) fn node(
    op_type: &str,
    input: &[&str],
    output: &[&str],
    attribute: Vec<Attribute>,
) -> Node {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let general = [
        "Add", "Mul", "Cast", "Concat", "Reshape", "Gather", "Sigmoid", "MatMul", "Sum",
    ];
    let domain = if general.contains(&op_type) {
        ""
    } else {
        "ai.onnx.ml"
    };
    Node {
        input: owned(input),
        output: owned(output),
        op_type: op_type.to_owned(),
        attribute,
        domain: domain.to_owned(),
    }
}

pub(super) fn info(name: &str, element: i32, width: Option<i64>) -> ValueInfo {
    let dim = vec![Dimension { value: None }, Dimension { value: width }];
    let shape = Some(Shape { dim });
    let tensor = Some(TensorType { element, shape });
    ValueInfo {
        name: name.to_owned(),
        kind: Some(Type { tensor }),
    }
}

/// A scaler of two columns, and a classifier of one tree with three leaves: at most 0.5 in the first column, then at
/// most 1.5 in the second.
pub(super) fn small() -> Model {
    let scaler = vec![floats("offset", &[0.0, 0.0]), floats("scale", &[1.0, 1.0])];
    let trees = vec![
        ints("nodes_treeids", &[0; 5]),
        ints("nodes_nodeids", &[0, 1, 2, 3, 4]),
        ints("nodes_featureids", &[0, 1, 0, 0, 0]),
        strings(
            "nodes_modes",
            &["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
        ),
        floats("nodes_values", &[0.5, 1.5, 0.0, 0.0, 0.0]),
        ints("nodes_truenodeids", &[1, 2, 0, 0, 0]),
        ints("nodes_falsenodeids", &[4, 3, 0, 0, 0]),
        ints("nodes_missing_value_tracks_true", &[1, 0, 0, 0, 0]),
        ints("class_treeids", &[0; 3]),
        ints("class_nodeids", &[2, 3, 4]),
        ints("class_ids", &[0; 3]),
        floats("class_weights", &[1.0, 2.0, 4.0]),
        floats("base_values", &[0.25]),
        ints("classlabels_int64s", &[0, 1]),
        string("post_transform", "LOGISTIC"),
    ];
    let set = |domain: &str, version| OperatorSet {
        domain: domain.to_owned(),
        version,
    };
    Model {
        ir_version: 8,
        graph: Some(Graph {
            node: vec![
                node("Scaler", &["x"], &["scaled"], scaler),
                node(
                    "TreeEnsembleClassifier",
                    &["scaled"],
                    &["label", "scores"],
                    trees,
                ),
            ],
            initializer: Vec::new(),
            input: vec![info("x", 1, Some(2))],
            output: vec![info("label", 7, None), info("scores", 1, Some(2))],
        }),
        opset_import: vec![set("", 18), set("ai.onnx.ml", 3)],
        metadata_props: Vec::new(),
        functions: Vec::new(),
    }
}

impl Model {
    pub(super) fn graph(&mut self) -> &mut Graph {
        self.graph.as_mut().unwrap()
    }

    /// Replaces the attribute of the same name in a node, or adds it.
    pub(super) fn set(&mut self, node: usize, attribute: Attribute) {
        let attributes = &mut self.graph().node[node].attribute;
        attributes.retain(|other| other.name != attribute.name);
        attributes.push(attribute);
    }

    /// Removes an attribute of a node.
    pub(super) fn unset(&mut self, node: usize, name: &str) {
        let attributes = &mut self.graph().node[node].attribute;
        attributes.retain(|other| other.name != name);
    }

    /// Puts a node between the input and the scaler.
    pub(super) fn put_first(&mut self, mut node: Node) {
        node.output = vec!["first".to_owned()];
        let graph = self.graph();
        graph.node[0].input = vec!["first".to_owned()];
        graph.node.insert(0, node);
    }

    /// Puts a node between the scores and the output.
    pub(super) fn put_last(&mut self, node: Node) {
        let graph = self.graph();
        graph.output[1].name.clone_from(&node.output[0]);
        graph.node.push(node);
    }

    pub(super) fn constant(&mut self, tensor: Tensor) {
        self.graph().initializer.push(tensor);
    }
}

pub(super) fn whole_tensor(name: &str, numbers: &[i64]) -> Tensor {
    Tensor {
        dims: vec![i64::try_from(numbers.len()).unwrap()],
        data_type: 7,
        int64_data: numbers.to_vec(),
        name: name.to_owned(),
        ..Tensor::default()
    }
}

pub(super) fn float_tensor(name: &str, numbers: &[f32]) -> Tensor {
    Tensor {
        dims: vec![i64::try_from(numbers.len()).unwrap()],
        data_type: 1,
        float_data: numbers.to_vec(),
        name: name.to_owned(),
        ..Tensor::default()
    }
}

/// One list of strings.
pub(super) fn modes(modes: &[&str]) -> Attribute {
    strings("nodes_modes", modes)
}
