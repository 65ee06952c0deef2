# Daily backups for 30 days, and a copy of each in another region. The vault is locked: for so long nobody deletes one.

terraform {
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      configuration_aliases = [aws, aws.other_region]
    }
  }
}

resource "aws_backup_vault" "this" {
  name        = var.name
  kms_key_arn = var.key_arn
}

resource "aws_backup_vault" "copy" {
  provider    = aws.other_region
  name        = "${var.name}-copy"
  kms_key_arn = var.copy_key_arn
}

resource "aws_backup_vault_lock_configuration" "this" {
  backup_vault_name  = aws_backup_vault.this.name
  min_retention_days = var.days
  max_retention_days = 400
}

resource "aws_backup_plan" "this" {
  name = var.name
  rule {
    rule_name                = "daily"
    target_vault_name        = aws_backup_vault.this.name
    schedule                 = "cron(30 2 * * ? *)"
    start_window             = 60
    completion_window        = 240
    enable_continuous_backup = false # RDS itself has every minute
    lifecycle {
      delete_after = var.days
    }
    copy_action {
      destination_vault_arn = aws_backup_vault.copy.arn
      lifecycle {
        delete_after = var.days
      }
    }
  }
}

resource "aws_iam_role" "this" {
  name = "${var.name}-backup"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "backup.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each   = toset(["AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores"])
  role       = aws_iam_role.this.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/${each.value}"
}

resource "aws_backup_selection" "this" {
  name         = var.name
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.this.arn
  resources    = var.resources
}

# A backup that fails, and one that never ran.
resource "aws_cloudwatch_metric_alarm" "failed" {
  alarm_name          = "${var.name}-backup-failed"
  alarm_description   = "A backup failed; docs/runbooks/BackupOld.md"
  namespace           = "AWS/Backup"
  metric_name         = "NumberOfBackupJobsFailed"
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 3600
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "missing" {
  alarm_name          = "${var.name}-backup-missing"
  alarm_description   = "No backup within a day; docs/runbooks/BackupOld.md"
  namespace           = "AWS/Backup"
  metric_name         = "NumberOfBackupJobsCompleted"
  statistic           = "Sum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 86400
  evaluation_periods  = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [var.topic_arn]
}
