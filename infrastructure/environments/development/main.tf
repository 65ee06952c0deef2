# development

terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
  # Where the state is, and its lock, is given when it is set up: terraform init -backend-config=FILE
  backend "s3" {
    key          = "fair-credit-scorer/development.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region
  default_tags {
    tags = { Project = "fair-credit-scorer", Environment = "development" }
  }
}

provider "aws" {
  alias  = "other_region"
  region = var.other_region
  default_tags {
    tags = { Project = "fair-credit-scorer", Environment = "development" }
  }
}

module "system" {
  source    = "../../modules/system"
  providers = { aws = aws, aws.other_region = aws.other_region }

  environment     = "development"
  region          = var.region
  zones           = ["eu-central-1a", "eu-central-1b"]
  survives_a_zone = false
  protected       = false
  internal        = true
  client_cidrs    = ["10.0.0.0/8"]
  count_min       = 1
  count_max       = 2
  database_class  = "db.t4g.medium"
  database_gib    = 20
  cache_type      = "cache.t4g.micro"
  model_lock_days = 1
  log_days        = 30

  certificate_arn       = var.certificate_arn
  images                = var.images
  files_image           = var.files_image
  repository_arn        = var.repository_arn
  weights               = var.weights
  active_model_server   = var.active_model_server
  cache_token           = var.cache_token
  rotation_function_arn = var.rotation_function_arn
  variables             = var.variables
}

output "address" {
  value = module.system.address
}

output "cluster" {
  value = module.system.cluster
}
