# METADATA
# title: The limits that rules hold plans to
# description: >-
#   A repository sets its own in a file of policies/ that starts with package
#   isobar.limits: a line such as vm_cpus := 64 takes the place of the one here.
package isobar.limits

# The largest size of an EC2 instance, as the number before xlarge. In most
# families an xlarge has 4 vCPUs.
default instance_xlarge := 12

# Whether EC2 instances may take a whole machine, a metal size.
default bare_metal := false

# The most processors and MB of memory of a virtual machine on vSphere.
default vm_cpus := 32

default vm_memory_mb := 262144

# How many objects one plan may delete or replace.
default most_deleted := 10

# How many hundredths of the live objects it may; this counts from
# least_deleted objects on, so that small environments can be worked on.
default most_share := 30

default least_deleted := 4
