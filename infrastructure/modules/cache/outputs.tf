output "security_group_id" {
  value = aws_security_group.this.id
}

output "address" {
  value = aws_elasticache_replication_group.this.primary_endpoint_address
}
