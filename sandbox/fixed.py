"""What AWS cannot change in place, for the types that are only recorded: a change of one of these inputs replaces the resource.

For the types that are created the rows say what can be changed. Source: "ForceNew" and "RequiresReplace" in the schemas of Terraform's AWS
provider, which Pulumi's is made from.
"""

FIXED: dict[str, frozenset[str]] = {
    kind: frozenset(inputs.split())
    for kind, inputs in {
        "aws:acm/certificate:Certificate": "domainName validationMethod",
        "aws:acm/certificateValidation:CertificateValidation": "certificateArn validationRecordFqdns",
        "aws:appautoscaling/scheduledAction:ScheduledAction": "name resourceId scalableDimension serviceNamespace",
        "aws:budgets/budget:Budget": "accountId name namePrefix",
        "aws:cloudwatch/compositeAlarm:CompositeAlarm": "alarmName",
        "aws:ecr/lifecyclePolicy:LifecyclePolicy": "policy repository",
        "aws:ecr/repository:Repository": "encryptionConfigurations name",
        "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": "clusterName",
        "aws:elasticache/parameterGroup:ParameterGroup": "description family name",
        "aws:elasticache/replicationGroup:ReplicationGroup": "atRestEncryptionEnabled kmsKeyId port replicationGroupId subnetGroupName",
        "aws:elasticache/subnetGroup:SubnetGroup": "name",
        "aws:elasticache/user:User": "userId userName",
        "aws:elasticache/userGroup:UserGroup": "userGroupId",
        "aws:route53/record:Record": "name zoneId",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "bucket",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "bucket",
        "aws:s3/bucketPolicy:BucketPolicy": "bucket",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "bucket",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": "bucket",
        "docker-build:index:Image": "",
    }.items()
}
