"""The CloudFormation template against the node's own settings: every number follows from the idle timeout."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reward_push.engineio.heartbeat import OVERDUE_S
from reward_push.settings import Settings, SettingsError, load
from reward_push.transports.options import SiteOptions

from .attributes import LOAD_BALANCER, TARGET_GROUP, by_key, faults
from .stack import ParameterError, Reference, Stack

TEMPLATE = Path(__file__).parents[2] / "deploy" / "cloudformation" / "reward-push.yaml"
GIVEN = {
    "VpcId": "vpc-1",
    "PublicSubnets": "subnet-1,subnet-2",
    "PublicSubnetCidrs": "10.0.0.0/24,10.0.1.0/24",
    "PrivateSubnets": "subnet-3,subnet-4",
    "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/1",
    "Image": "example.com/reward-push:1",
}
SECRETS = {
    "RedisUrl": "rediss://:token@redis.example.com:6379/0",
    "ClusterSecret": "s" * 64,
    "BackendKey": "k" * 43,
}
"""What the secrets of the template hold once there is a stack."""
LEAST_S, MOST_S = 40, 4000
IDLE_TIMEOUTS_S = (*range(LEAST_S, 130), 180, 300, 600, 900, 1800, 3600, MOST_S)


def stack(**parameters: object) -> Stack:
    """The template with these parameters, and the least that has to be given."""
    return Stack(TEMPLATE, {**GIVEN, **{name: str(value) for name, value in parameters.items()}})


def container(made: Stack) -> dict[str, Any]:
    """The one container of a node."""
    [found] = made.properties("Node")["ContainerDefinitions"]
    assert isinstance(found, dict)
    return found


def environment(made: Stack) -> dict[str, str]:
    """The variables with which a node is started."""
    plain = {each["Name"]: str(each["Value"]) for each in container(made)["Environment"]}
    secret = {
        each["Name"]: SECRETS[each["ValueFrom"].resource] for each in container(made)["Secrets"]
    }
    assert not plain.keys() & secret.keys()
    return plain | secret


def settings(made: Stack) -> Settings:
    """What a node of this stack makes of its variables. Unknown and impossible ones raise."""
    return load({}, environment(made))


def balancer(made: Stack) -> dict[str, str]:
    return by_key(made.properties("LoadBalancer")["LoadBalancerAttributes"])


def target_group(made: Stack) -> dict[str, str]:
    return by_key(made.properties("TargetGroup")["TargetGroupAttributes"])


@pytest.mark.parametrize("idle_s", IDLE_TIMEOUTS_S)
def test_every_number_follows_from_the_idle_timeout(idle_s: int) -> None:
    """For each number that the one parameter may have; the rules stand in docs/deploy.md."""
    made = stack(IdleTimeout=idle_s)
    node = settings(made)
    interval_s = node.engine.ping_interval_s

    assert balancer(made)["idle_timeout.timeout_seconds"] == str(idle_s)
    assert node.http.idle_timeout_s == idle_s
    # The heartbeat, which is also the longest that a poll is held, and the longest silence of a late client.
    assert interval_s + 10 < idle_s
    assert interval_s + OVERDUE_S + 5 < idle_s
    # A node keeps idle connections for longer than the balancer.
    keep_alive_s = SiteOptions(node.node_id, idle_timeout_s=node.http.idle_timeout_s).keep_alive_s
    assert idle_s + 5 <= keep_alive_s <= idle_s + 15


def test_the_smallest_idle_timeout_is_one_that_nodes_bear() -> None:
    """The template refuses less, and soon after nodes would."""
    with pytest.raises(ParameterError):
        stack(IdleTimeout=LEAST_S - 1)
    with pytest.raises(ParameterError):
        stack(IdleTimeout=MOST_S + 1)
    with pytest.raises(SettingsError):
        load({}, {"REWARD_PUSH_IDLE_TIMEOUT": str(LEAST_S - 5)})


def test_what_does_not_follow_from_it_fits_the_node() -> None:
    """Stopping takes longer than draining, deregistering longer than the slowest request."""
    made = stack()
    node = settings(made)
    assert node.cluster is not None
    assert node.cluster.drain_s + 5 <= container(made)["StopTimeout"] <= 120
    delay_s = int(target_group(made)["deregistration_delay.timeout_seconds"])
    assert node.http.header_timeout_s + node.http.body_timeout_s <= delay_s <= 60


def test_attributes_are_such_as_aws_knows() -> None:
    """Keys, values and ranges, of which cfn-lint looks at none."""
    made = stack()
    for found in made.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer").values():
        assert faults(by_key(found["LoadBalancerAttributes"]), LOAD_BALANCER) == []
    for found in made.of_type("AWS::ElasticLoadBalancingV2::TargetGroup").values():
        assert faults(by_key(found["TargetGroupAttributes"]), TARGET_GROUP) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"idle_timeout.timeout_seconds": "99999"},
        {"idle_timeout.timeout_seconds": "1m"},
        {"nosuch.key": "true"},
        {"slow_start.durations": "30"},
        {"slow_start.duration_seconds": "20"},
        {"stickiness.type": "source_ip_bad"},
        {
            "slow_start.duration_seconds": "30",
            "load_balancing.algorithm.type": "least_outstanding_requests",
        },
    ],
    ids=str,
)
def test_wrong_attributes_are_found(wrong: dict[str, str]) -> None:
    """The check before can fail."""
    assert len(faults(wrong, {**LOAD_BALANCER, **TARGET_GROUP})) == 1


def test_headers_and_stickiness() -> None:
    """What nodes rely on, or are spared by."""
    made = stack()
    assert balancer(made)["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert balancer(made)["routing.http.desync_mitigation_mode"] in ("defensive", "strictest")
    assert balancer(made)["routing.http.xff_header_processing.mode"] == "append"
    assert target_group(made)["stickiness.enabled"] == "true"
    assert target_group(made)["load_balancing.algorithm.type"] == "least_outstanding_requests"


def test_nodes_believe_the_balancer_alone() -> None:
    """It has its addresses in the public subnets; a client cannot say that it is somebody else."""
    made = stack()
    assert settings(made).trusted_proxies == ("10.0.0.0/24", "10.0.1.0/24")
    [ingress] = [
        rule
        for rule in made.of_type("AWS::EC2::SecurityGroupIngress").values()
        if rule["FromPort"] == 8080
    ]
    assert ingress["SourceSecurityGroupId"] == Reference("BalancerSecurityGroup")
    assert ingress["GroupId"] == Reference("NodeSecurityGroup")


def test_the_health_check() -> None:
    """A WebSocket node answers 200 or 503 there, whatever the ``Host``."""
    made = stack()
    group = made.properties("TargetGroup")
    assert group["HealthCheckPath"] == "/healthcheck"
    assert group["Matcher"] == {"HttpCode": "200"}
    assert group["HealthCheckTimeoutSeconds"] < group["HealthCheckIntervalSeconds"]
    assert 5 <= group["HealthCheckIntervalSeconds"] <= 300
    assert 2 <= group["HealthCheckTimeoutSeconds"] <= 120
    assert 2 <= group["HealthyThresholdCount"] <= 10
    assert 2 <= group["UnhealthyThresholdCount"] <= 10
    healthy_s = group["HealthyThresholdCount"] * group["HealthCheckIntervalSeconds"]
    assert made.properties("Service")["HealthCheckGracePeriodSeconds"] >= healthy_s + 30


def test_websockets_can_be_upgraded() -> None:
    """From HTTP/1.1 alone; Fargate's targets are addresses."""
    group = stack().properties("TargetGroup")
    assert (group["Protocol"], group["ProtocolVersion"]) == ("HTTP", "HTTP1")
    assert group["TargetType"] == "ip"


def test_ports_agree() -> None:
    """Listener, container, target group, service and security groups."""
    made = stack()
    node = settings(made)
    assert node.cluster is not None
    [listens] = [re.fullmatch(r"tcp:(\d+)", each) for each in node.listen]
    cluster = re.fullmatch(r"tcp:(\d+)", node.cluster.listen)
    assert listens is not None
    assert cluster is not None
    clients_port, cluster_port = int(listens[1]), int(cluster[1])
    ports = [each["ContainerPort"] for each in container(made)["PortMappings"]]
    assert ports == [clients_port, cluster_port]
    assert made.properties("TargetGroup")["Port"] == clients_port
    [attached] = made.properties("Service")["LoadBalancers"]
    assert attached["ContainerPort"] == clients_port
    assert attached["ContainerName"] == container(made)["Name"]
    rules = made.of_type("AWS::EC2::SecurityGroupIngress")
    assert (
        rules["BalancerToNodes"]["FromPort"] == rules["BalancerToNodes"]["ToPort"] == clients_port
    )
    assert rules["NodeToNode"]["FromPort"] == rules["NodeToNode"]["ToPort"] == cluster_port
    assert rules["NodeToNode"]["SourceSecurityGroupId"] == rules["NodeToNode"]["GroupId"]
    [egress] = made.properties("BalancerSecurityGroup")["SecurityGroupEgress"]
    assert egress["FromPort"] == egress["ToPort"] == clients_port
    [redis] = made.properties("RedisSecurityGroup")["SecurityGroupIngress"]
    assert redis["FromPort"] == redis["ToPort"] == made.properties("Redis")["Port"]
    assert redis["SourceSecurityGroupId"] == Reference("NodeSecurityGroup")


def test_only_the_balancer_is_open_to_the_world() -> None:
    """No other rule names addresses, and it offers TLS or the way to it alone."""
    made = stack()
    open_ports = [
        (name, rule["FromPort"], rule["ToPort"])
        for name, group in made.of_type("AWS::EC2::SecurityGroup").items()
        for rule in group.get("SecurityGroupIngress", [])
        if "CidrIp" in rule or "CidrIpv6" in rule
    ]
    assert open_ports == [("BalancerSecurityGroup", 443, 443), ("BalancerSecurityGroup", 80, 80)]
    for rule in made.of_type("AWS::EC2::SecurityGroupIngress").values():
        assert "CidrIp" not in rule
    listeners = made.of_type("AWS::ElasticLoadBalancingV2::Listener")
    assert {each["Port"]: each["Protocol"] for each in listeners.values()} == {
        443: "HTTPS",
        80: "HTTP",
    }
    [plain] = listeners["HttpListener"]["DefaultActions"]
    assert plain["Type"] == "redirect"
    assert plain["RedirectConfig"]["Protocol"] == "HTTPS"
    assert listeners["HttpsListener"]["Certificates"] == [
        {"CertificateArn": GIVEN["CertificateArn"]}
    ]


def test_redis_is_one_that_nodes_can_use() -> None:
    """No cluster mode; TLS; a failover; nothing accepted is evicted, no idle subscriber cut."""
    made = stack()
    redis = made.properties("Redis")
    assert redis["ClusterMode"] == "disabled"
    assert redis["NumNodeGroups"] == 1
    assert redis["TransitEncryptionEnabled"] is True
    assert redis["AutomaticFailoverEnabled"] is True
    assert redis["MultiAZEnabled"] is True
    assert int(redis["ReplicasPerNodeGroup"]) >= 1
    parameters = made.properties("RedisParameters")["Properties"]
    assert parameters["maxmemory-policy"] == "noeviction"
    assert parameters["timeout"] == "0"


def test_secrets_are_made_and_read_and_nowhere_shown() -> None:
    """The token stands in the URL by reference alone, and has no character that would need encoding."""
    made = stack()
    generated = made.properties("RedisToken")["GenerateSecretString"]
    assert generated["ExcludePunctuation"] is True
    assert 16 <= generated["PasswordLength"] <= 128
    reference = "{{resolve:secretsmanager:<RedisToken>:SecretString}}"
    assert made.properties("Redis")["AuthToken"] == reference
    assert made.properties("RedisUrl")["SecretString"] == (
        f"rediss://:{reference}@<Redis.PrimaryEndPoint.Address>:<Redis.PrimaryEndPoint.Port>/0"
    )
    [policy] = made.properties("ExecutionRole")["Policies"]
    [statement] = policy["PolicyDocument"]["Statement"]
    readable = {each.resource for each in statement["Resource"]}
    assert readable == {each["ValueFrom"].resource for each in container(made)["Secrets"]}
    shown = json.dumps([container(made)["Environment"], made.outputs], default=str)
    assert "resolve:" not in shown
    assert "Policies" not in made.properties("NodeRole")


@pytest.mark.parametrize("nodes", [2, 3, 4, 10])
def test_a_deployment_never_has_fewer_nodes_than_wanted(nodes: int) -> None:
    """There is room for one more, or nothing could ever be replaced."""
    service = stack(NodeCount=nodes).properties("Service")
    configuration = service["DeploymentConfiguration"]
    assert service["DesiredCount"] == str(nodes)
    assert configuration["MinimumHealthyPercent"] == 100
    assert nodes * configuration["MaximumPercent"] // 100 > nodes


@pytest.mark.parametrize("cpu", [512, 1024, 2048])
def test_fargate_sells_this_memory_with_this_cpu(cpu: int) -> None:
    """In GiB: 1 to 4, 2 to 8, 4 to 16."""
    node = stack(NodeCpu=cpu).properties("Node")
    assert node["Cpu"] == str(cpu)
    assert 2 * cpu <= int(node["Memory"]) <= 8 * cpu
    assert int(node["Memory"]) % 1024 == 0


def test_a_node_may_have_as_many_descriptors_as_connections() -> None:
    """And some more: for Redis, for other nodes, for requests passed on."""
    [limit] = container(stack())["Ulimits"]
    default = 100_000
    assert limit["Name"] == "nofile"
    assert limit["HardLimit"] >= limit["SoftLimit"] > default * 1.1
