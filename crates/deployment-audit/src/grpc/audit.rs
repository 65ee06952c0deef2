//! `AuditService`.

use std::sync::Arc;

use fcs_core::{ApiError, Digest};
use fcs_proto::deployment::v1 as wire;
use fcs_proto::deployment::v1::audit_service_server::AuditService;
use fcs_service::grpc::status;
use tonic::{Request, Response, Status};

use crate::app::proofs::Proofs;
use crate::store::StoredLeaf;

/// The service over its use cases.
pub(super) struct Grpc(pub(super) Arc<Proofs>);

#[tonic::async_trait]
impl AuditService for Grpc {
    async fn get_checkpoint(
        &self,
        _: Request<wire::GetCheckpointRequest>,
    ) -> Result<Response<wire::GetCheckpointResponse>, Status> {
        let published = self.0.checkpoint().await.map_err(refused)?;
        Ok(Response::new(wire::GetCheckpointResponse {
            checkpoint: published.note.clone(),
            verifier_key: self.0.verifier_key(),
            size: published.head.size,
            last_decision_index: published.last_decision_index,
        }))
    }

    async fn list_leaves(
        &self,
        request: Request<wire::ListLeavesRequest>,
    ) -> Result<Response<wire::ListLeavesResponse>, Status> {
        let wire::ListLeavesRequest {
            after_count,
            page_size,
        } = request.into_inner();
        let leaves = self
            .0
            .leaves(after_count, page_size)
            .await
            .map_err(refused)?;
        let leaves = leaves.into_iter().map(leaf).collect();
        Ok(Response::new(wire::ListLeavesResponse { leaves }))
    }

    async fn prove_leaf(
        &self,
        request: Request<wire::ProveLeafRequest>,
    ) -> Result<Response<wire::ProveLeafResponse>, Status> {
        let proved = self
            .0
            .leaf(request.get_ref().leaf_index)
            .await
            .map_err(refused)?;
        Ok(Response::new(wire::ProveLeafResponse {
            leaf: Some(leaf(proved.leaf)),
            proof: hashes(&proved.proof),
            checkpoint: proved.published.note.clone(),
        }))
    }

    async fn prove_decision(
        &self,
        request: Request<wire::ProveDecisionRequest>,
    ) -> Result<Response<wire::ProveDecisionResponse>, Status> {
        let proved = self
            .0
            .decision(request.get_ref().log_index)
            .await
            .map_err(refused)?;
        let proof = &proved.proof;
        Ok(Response::new(wire::ProveDecisionResponse {
            record_digest: proved.record_digest.as_bytes().to_vec(),
            first_index: proof.batch.first_index(),
            last_index: proof.batch.last_index(),
            batch_proof: hashes(&proof.batch_proof),
            leaf: Some(wire::Leaf {
                index: proof.leaf_index,
                data: proved.leaf,
            }),
            log_proof: hashes(&proof.log_proof),
            checkpoint: proved.published.note.clone(),
        }))
    }

    async fn prove_consistency(
        &self,
        request: Request<wire::ProveConsistencyRequest>,
    ) -> Result<Response<wire::ProveConsistencyResponse>, Status> {
        let wire::ProveConsistencyRequest { old_size, new_size } = request.into_inner();
        let proved = self
            .0
            .consistency(old_size, new_size)
            .await
            .map_err(refused)?;
        Ok(Response::new(wire::ProveConsistencyResponse {
            proof: hashes(&proved.proof),
            checkpoint: proved.published.note.clone(),
        }))
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn refused(error: ApiError) -> Status {
    status(&error)
}

fn leaf(stored: StoredLeaf) -> wire::Leaf {
    wire::Leaf {
        index: stored.index,
        data: stored.data,
    }
}

fn hashes(proof: &[Digest]) -> Vec<Vec<u8>> {
    proof.iter().map(|hash| hash.as_bytes().to_vec()).collect()
}
