# METADATA
# title: Sizes of EC2 instances
# description: What the name of an instance's type tells of its size.
package isobar.sizes

# xlarge is a type's size as the number before xlarge; types below xlarge have
# none, nor have whole machines.
xlarge(type) := 1 if endswith(type, ".xlarge")

xlarge(type) := to_number(trim_suffix(size, "xlarge")) if {
	size := split(type, ".")[1]
	regex.match(`^[0-9]+xlarge$`, size)
}

# metal holds for a type that is a whole machine.
metal(type) if startswith(split(type, ".")[1], "metal")
