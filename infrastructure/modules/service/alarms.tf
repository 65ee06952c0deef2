# The four triggers of a rollback as CloudWatch alarms. A release that raises one while it is rolled out is taken back by
# ECS; afterwards somebody is told.

locals {
  alarms = {
    for track, _ in var.images : track => concat(
      [aws_cloudwatch_metric_alarm.memory[track].alarm_name],
      [for key, alarm in aws_cloudwatch_metric_alarm.errors : alarm.alarm_name if key == track],
      [for key, alarm in aws_cloudwatch_metric_alarm.latency : alarm.alarm_name if key == track],
      var.bias_alarm_name == null ? [] : [var.bias_alarm_name],
    )
  }
}

resource "aws_cloudwatch_metric_alarm" "memory" {
  for_each            = var.images
  alarm_name          = "${var.name}-${var.service}-${each.key}-memory"
  alarm_description   = "Memory above 90 % for 10 minutes; docs/runbooks/RollbackMemory.md"
  namespace           = "AWS/ECS"
  metric_name         = "MemoryUtilization"
  statistic           = "Maximum"
  dimensions          = { ClusterName = var.cluster_name, ServiceName = "${var.service}-${each.key}" }
  comparison_operator = "GreaterThanThreshold"
  threshold           = 90
  period              = 60
  evaluation_periods  = 10
  treat_missing_data  = "missing"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each            = var.target_group_suffixes
  alarm_name          = "${var.name}-${var.service}-${each.key}-errors"
  alarm_description   = "More than 5 % of the requests fail for 5 minutes; docs/runbooks/RollbackErrorRate.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  evaluation_periods  = 5
  treat_missing_data  = "missing"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
  metric_query {
    id          = "share"
    label       = "Share of errors"
    expression  = "IF(requests >= 4, 100 * FILL(errors, 0) / requests)" # 20 requests in 5 minutes
    return_data = true
  }
  metric_query {
    id = "errors"
    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "HTTPCode_Target_5XX_Count"
      stat        = "Sum"
      period      = 60
      dimensions  = { LoadBalancer = var.load_balancer_suffix, TargetGroup = each.value }
    }
  }
  metric_query {
    id = "requests"
    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "RequestCount"
      stat        = "Sum"
      period      = 60
      dimensions  = { LoadBalancer = var.load_balancer_suffix, TargetGroup = each.value }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "latency" {
  for_each            = var.target_group_suffixes
  alarm_name          = "${var.name}-${var.service}-${each.key}-latency"
  alarm_description   = "p99 above 2 s for 5 minutes; docs/runbooks/RollbackLatency.md"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  extended_statistic  = "p99"
  dimensions          = { LoadBalancer = var.load_balancer_suffix, TargetGroup = each.value }
  comparison_operator = "GreaterThanThreshold"
  threshold           = 2
  period              = 60
  evaluation_periods  = 5
  treat_missing_data  = "missing"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}
