output "security_group_id" {
  value = aws_security_group.this.id
}

output "log_group" {
  value = aws_cloudwatch_log_group.this.name
}

output "names" {
  value = { for track, service in aws_service_discovery_service.this : track => service.name }
}
