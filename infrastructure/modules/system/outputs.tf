output "address" {
  value = module.edge.address
}

output "cluster" {
  value = module.edge.cluster_name
}

output "database" {
  value = module.database.identifier
}

output "registry" {
  value = module.registry.bucket
}

output "backup_vault" {
  value = module.backup.vault
}
