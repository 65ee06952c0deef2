//! Wire types of the contracts in `proto/`, with their gRPC clients and servers.
//!
//! For: one compiled form of each contract, shared by every service and client.
//! Not for: meaning. Services convert to domain types at their edge.
//!
//! The modules under `generated/` are written by `cargo xtask codegen` and checked by this crate's test.

/// The decision API, the feed of the decision log and the traffic table.
pub mod scoring {
    /// Version 1.
    pub mod v1 {
        include!("generated/faircredit.scoring.v1.rs");
    }
}

/// The model server.
pub mod model {
    /// Version 1.
    pub mod v1 {
        include!("generated/faircredit.model.v1.rs");
    }
}

/// The bias monitor.
pub mod monitoring {
    /// Version 1.
    pub mod v1 {
        include!("generated/faircredit.monitoring.v1.rs");
    }
}

/// The Open Inference Protocol.
pub mod inference {
    include!("generated/inference.rs");
}

/// The compiled contracts, a serialised `FileDescriptorSet` for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");

/// Deployments and the transparency log.
pub mod deployment {
    /// Version 1.
    pub mod v1 {
        include!("generated/faircredit.deployment.v1.rs");
    }
}
