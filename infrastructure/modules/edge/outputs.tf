output "cluster_arn" {
  value = aws_ecs_cluster.this.arn
}

output "cluster_name" {
  value = aws_ecs_cluster.this.name
}

output "namespace_id" {
  value = aws_service_discovery_private_dns_namespace.this.id
}

output "namespace" {
  value = aws_service_discovery_private_dns_namespace.this.name
}

output "security_group_id" {
  value = aws_security_group.this.id
}

output "target_group_arns" {
  value = { for track, group in aws_lb_target_group.gateway : track => group.arn }
}

output "target_group_suffixes" {
  value = { for track, group in aws_lb_target_group.gateway : track => group.arn_suffix }
}

output "load_balancer_suffix" {
  value = aws_lb.this.arn_suffix
}

output "address" {
  value = aws_lb.this.dns_name
}
