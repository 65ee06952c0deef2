# Secrets of the services. Terraform makes their places, not their values: those are put in by a person or by a rotation
# function, and no state ever holds them. The exception is what Redis must be told as well.

resource "aws_secretsmanager_secret" "this" {
  for_each                = var.secrets
  name                    = "${var.name}/${each.key}"
  description             = each.value
  kms_key_id              = var.key_arn
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_rotation" "this" {
  for_each            = var.rotation_function_arn == null ? [] : var.rotated
  secret_id           = aws_secretsmanager_secret.this[each.value].id
  rotation_lambda_arn = var.rotation_function_arn
  rotation_rules {
    automatically_after_days = 30
  }
}
