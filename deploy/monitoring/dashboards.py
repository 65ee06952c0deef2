"""Writes dashboards/*.json; with --check, fails when they differ from what it would write.

A dashboard is a list of rows, a row a list of panels (title, unit, [(query, legend)]). Units are Grafana's.
"""
import json
import pathlib
import sys

NAMESPACE = 'namespace="fair-credit-scorer"'


def quantile(share, histogram, by):
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({histogram}_bucket[5m])))"


DASHBOARDS = {
    "service": ("Services", [
        ("Requests", [
            ("Requests per second", "reqps", [("job_track:requests:rate5m", "{{job}} {{track}}")]),
            ("Share of errors", "percentunit", [("job_track:request_errors:ratio5m", "{{job}} {{track}}")]),
            ("Errors by route", "reqps", [
                ('sum by (job, route, status) (rate(http_requests_total{status=~"5.."}[5m])) > 0', "{{job}} {{route}} {{status}}"),
                ('sum by (job, method, code) (rate(grpc_requests_total{code!="OK"}[5m])) > 0', "{{job}} {{method}} {{code}}")]),
            ("Slower than 2 s", "percentunit", [("job_track:slow_requests:ratio5m", "{{job}} {{track}} {{transport}}")]),
            ("HTTP, p99", "s", [(quantile(0.99, "http_request_duration_seconds", "job"), "{{job}}")]),
            ("gRPC, p99", "s", [(quantile(0.99, "grpc_request_duration_seconds", "job"), "{{job}}")]),
        ]),
        ("Load", [
            ("Requests that have a place", "short", [("sum by (job, instance) (requests_admitted)", "{{job}} {{instance}}")]),
            ("Sent away", "reqps", [("sum by (job, class, why) (rate(requests_shed_total[5m]))", "{{job}} {{class}} {{why}}")]),
            ("Came too late", "reqps", [("sum by (job) (rate(requests_expired_total[5m]))", "{{job}}")]),
            ("Connections", "short", [("sum by (job) (connections_open)", "{{job}}")]),
            ("Connections cut", "cps", [("sum by (job, cause) (rate(connections_cut_total[5m]))", "{{job}} {{cause}}")]),
        ]),
        ("Processes", [
            ("Do not answer", "short", [("sum by (job, track) (up == bool 0)", "{{job}} {{track}}")]),
            ("Versions", "short", [("count by (service, version, commit) (build_info)", "{{service}} {{version}} {{commit}}")]),
            ("Memory of the limit", "percentunit", [("job_track:memory_used:ratio", "{{job}} {{track}}")]),
            ("Memory", "bytes", [("sum by (job, instance) (process_resident_memory_bytes)", "{{job}} {{instance}}")]),
            ("CPU cores", "short", [(f"sum by (container) (rate(container_cpu_usage_seconds_total{{{NAMESPACE}}}[5m]))", "{{container}}")]),
            ("Network", "Bps", [
                (f"sum(rate(container_network_receive_bytes_total{{{NAMESPACE}}}[5m]))", "in"),
                (f"sum(rate(container_network_transmit_bytes_total{{{NAMESPACE}}}[5m]))", "out")]),
            ("Disk of volumes", "percentunit", [
                (f"kubelet_volume_stats_used_bytes{{{NAMESPACE}}} / kubelet_volume_stats_capacity_bytes{{{NAMESPACE}}}", "{{persistentvolumeclaim}}")]),
            ("Restarts in an hour", "short", [
                (f"sum by (container) (increase(kube_pod_container_status_restarts_total{{{NAMESPACE}}}[1h]))", "{{container}}")]),
            ("Certificates end in", "s", [("min by (job) (tls_certificate_expiry_timestamp_seconds) - time()", "{{job}}")]),
        ]),
    ]),
    "scoring": ("Scoring", [
        ("Decisions", [
            ("Decisions per second", "reqps", [("sum by (model, arm) (rate(fcs_gateway_decisions_total[5m]))", "{{model}} {{arm}}")]),
            ("Outcomes", "percentunit", [(
                "sum by (model, outcome) (rate(fcs_gateway_decisions_total[1h])) / ignoring (outcome) group_left sum by (model) (rate(fcs_gateway_decisions_total[1h]))",
                "{{model}} {{outcome}}")]),
            ("Errors by code", "reqps", [("sum by (code) (rate(fcs_gateway_score_errors_total[5m])) > 0", "{{code}}")]),
            ("Answers given again", "reqps", [("sum(rate(fcs_gateway_replayed_answers_total[5m]))", "replayed")]),
        ]),
        ("Time", [
            ("Decision", "s", [(quantile(share, "fcs_gateway_score_seconds", "job"), f"p{share * 100:g}") for share in (0.5, 0.99, 0.999)]),
            ("Model server's part", "s", [(quantile(0.99, "fcs_gateway_model_score_seconds", "job"), "p99")]),
            ("Commit", "s", [(quantile(0.99, "fcs_gateway_commit_seconds", "job"), "p99")]),
            ("Computing", "s", [(quantile(0.99, "fcs_model_compute_seconds", "job"), "p99")]),
        ]),
        ("Writer and models", [
            ("Decisions waiting", "short", [("max by (instance) (fcs_gateway_queue_depth)", "{{instance}}")]),
            ("Decisions of a commit", "short", [("sum(rate(fcs_gateway_batch_decisions_sum[5m])) / sum(rate(fcs_gateway_batch_decisions_count[5m]))", "mean")]),
            ("Commits failed or unknown", "short", [
                ("sum(increase(fcs_gateway_commits_failed_total[5m]))", "failed"), ("sum(increase(fcs_gateway_commits_unknown_total[5m]))", "unknown")]),
            ("Rows per second", "rowsps", [("sum(rate(fcs_model_rows_total[5m]))", "rows")]),
            ("Asked twice", "reqps", [("sum by (kind) (rate(fcs_gateway_model_extra_calls_total[5m]))", "{{kind}}")]),
            ("Models", "short", [("sum by (instance) (fcs_models_loaded)", "in memory {{instance}}"), ("sum(increase(fcs_models_refused_total[1h]))", "refused")]),
            ("Distance of contributions to the margin", "short", [("max(fcs_model_additivity_error_max)", "greatest")]),
        ]),
    ]),
    "fairness": ("Fairness", [
        ("Groups", [
            ("Alarms in a day", "short", [("sum by (model, attribute) (increase(bias_detection_alerts_total[1d]))", "{{model}} {{attribute}}")]),
            ("Adverse impact ratio", "percentunit", [("max by (attribute, group) (fcs_monitor_adverse_impact_ratio)", "{{attribute}} {{group}}")]),
            ("Drift", "short", [("max by (model, version, arm) (model_drift_score)", "{{model}}/{{version}} {{arm}}")]),
        ]),
        ("Counting", [
            ("Behind the log", "short", [("max(fcs_gateway_log_highest_index) - max(fcs_monitor_last_index)", "decisions")]),
            ("Evidence behind the counters", "short", [("max(fcs_monitor_last_index) - max(fcs_monitor_evidence_index)", "decisions")]),
            ("Feed", "short", [("max(fcs_monitor_feed_connected)", "connected"), ("sum(increase(fcs_monitor_gaps_total[1h]))", "gaps")]),
            ("Taken in", "reqps", [
                ("sum by (result) (rate(fcs_monitor_decisions_total[5m]))", "decisions {{result}}"),
                ("sum by (result) (rate(fcs_monitor_demographics_total[5m]))", "attributes {{result}}"),
                ("sum by (result) (rate(fcs_monitor_group_probabilities_total[5m]))", "probabilities {{result}}"),
                ("sum by (result) (rate(fcs_monitor_outcomes_total[5m]))", "outcomes {{result}}")]),
            ("Entries that make no sense", "short", [("sum(increase(fcs_monitor_invalid_entries_total[1h]))", "entries")]),
        ]),
    ]),
    "rollout": ("Rollouts", [
        ("Models", [
            ("Share of the decisions", "percentunit", [(
                "sum by (arm, model) (rate(fcs_gateway_decisions_total[5m])) / scalar(sum(rate(fcs_gateway_decisions_total[5m])))", "{{arm}} {{model}}")]),
            ("Approved", "percentunit", [(
                'sum by (arm) (rate(fcs_gateway_decisions_total{outcome="approve"}[1h])) / sum by (arm) (rate(fcs_gateway_decisions_total[1h]))', "{{arm}}")]),
            ("Traffic table", "short", [("max by (instance) (fcs_gateway_traffic_generation)", "generation {{instance}}"), ("max(fcs_gateway_arms_unusable)", "arms unusable")]),
            ("Steps of the reconciler", "short", [("sum by (outcome) (increase(fcs_audit_traffic_steps_total[5m]))", "{{outcome}}")]),
            ("Deployments that reached a state", "short", [("sum by (state) (increase(fcs_deployments_total[1d]))", "{{state}}")]),
        ]),
        ("Shadow arms", [
            ("Looked at", "reqps", [("sum by (arm, result) (rate(fcs_gateway_shadow_decisions_total[5m]))", "{{arm}} {{result}}")]),
            ("Behind the log", "short", [("max by (arm) (fcs_gateway_shadow_backlog)", "{{arm}}")]),
        ]),
        ("Releases", [
            ("Requests by track", "reqps", [("job_track:requests:rate5m", "{{job}} {{track}}")]),
            ("Errors by track", "percentunit", [("job_track:request_errors:ratio5m", "{{job}} {{track}}")]),
            ("Slow by track", "percentunit", [("job_track:slow_requests:ratio5m", "{{job}} {{track}}")]),
            ("Memory by track", "percentunit", [("job_track:memory_used:ratio", "{{job}} {{track}}")]),
            ("Triggers that fire", "short", [('ALERTS{action="rollback",alertstate="firing"}', "{{alertname}} {{job}} {{track}} {{model}}")]),
        ]),
    ]),
    "audit": ("Audit", [
        ("Log", [
            ("Leaves", "short", [("max(fcs_audit_log_size)", "leaves")]),
            ("Checkpoints", "short", [("sum(rate(fcs_audit_checkpoints_total[5m]))", "per second")]),
            ("Age of the last checkpoint", "s", [("time() - max(fcs_audit_checkpoint_timestamp_seconds)", "age")]),
            ("Decisions under no checkpoint", "short", [("max(fcs_gateway_log_highest_index) - max(fcs_audit_last_decision_index)", "decisions")]),
            ("Signing refused", "short", [("max(fcs_audit_log_refused)", "refused")]),
            ("Feed", "short", [("sum by (outcome) (increase(fcs_audit_feed_entries_total[5m]))", "{{outcome}}"), ("sum(increase(fcs_audit_feed_reconnects_total[5m]))", "reconnects")]),
        ]),
        ("Records", [
            ("Computed again", "short", [("sum by (identical) (increase(fcs_gateway_replays_total[1d]))", "identical {{identical}}")]),
            ("Erased", "short", [("sum(increase(fcs_gateway_applications_erased_total[1d]))", "applications")]),
            ("Backup", "s", [(f'time() - max(kube_cronjob_status_last_successful_time{{{NAMESPACE},cronjob="backup"}})', "age")]),
        ]),
    ]),
    "slo": ("SLO", [
        (name, [
            ("Share of bad ones", "percentunit", [(f'slo:errors:ratio{window}{{slo="{slo}"}}', window) for window in ("5m", "1h", "6h", "3d")]),
            ("Burn rate", "short", [(f'slo:errors:ratio{window}{{slo="{slo}"}} / {budget}', window) for window in ("5m", "1h", "6h", "3d")]),
            ("Budget that 3 days leave of 30", "percentunit", [(f'1 - slo:errors:ratio3d{{slo="{slo}"}} / {budget} / 10', "left")]),
            ("Requests per second", "reqps", [(f'slo:requests:rate1h{{slo="{slo}"}}', "requests")]),
        ]) for name, slo, budget in (("Decisions answered, 99.9 %", "decisions-available", 0.001), ("Decisions within 100 ms, 99 %", "decisions-fast", 0.01))
    ]),
}


def panel(number, title, unit, queries, x, y):
    return {
        "id": number, "type": "timeseries", "title": title, "gridPos": {"h": 8, "w": 8, "x": x, "y": y},
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [{"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend} for place, (query, legend) in enumerate(queries)],
    }


def dashboard(uid, title, rows):
    panels, y = [], 0
    for name, row in rows:
        panels.append({"id": len(panels) + 1, "type": "row", "title": name, "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}})
        y += 1
        for place, (panel_title, unit, queries) in enumerate(row):
            panels.append(panel(len(panels) + 1, panel_title, unit, queries, 8 * (place % 3), y + 8 * (place // 3)))
        y += 8 * -(-len(row) // 3)
    source = {"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"}
    return {
        "uid": f"fair-credit-scorer-{uid}", "title": f"Fair Credit Scorer: {title}", "tags": ["fair-credit-scorer"], "schemaVersion": 39,
        "timezone": "utc", "refresh": "30s", "time": {"from": "now-6h", "to": "now"}, "templating": {"list": [source]}, "panels": panels,
    }


if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent / "dashboards"
    texts = {folder / f"{uid}.json": json.dumps(dashboard(uid, title, rows), indent=1) + "\n" for uid, (title, rows) in DASHBOARDS.items()}
    if "--check" in sys.argv:
        stale = [file.name for file, text in texts.items() if not file.is_file() or file.read_text() != text]
        stale += [file.name for file in folder.glob("*.json") if file not in texts]
        sys.exit(f"stale: {', '.join(stale)}; run python3 deploy/monitoring/dashboards.py" if stale else 0)
    for file, text in texts.items():
        file.write_text(text)
